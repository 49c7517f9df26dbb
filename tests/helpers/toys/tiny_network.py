"""A network of two layers in C, as small as the contract between the exporter `c` and the firmware allows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_HEADER = """\
#ifndef NETWORK_H
#define NETWORK_H
#include <stdint.h>
typedef enum { EK_INT8, EK_UINT8, EK_INT16, EK_INT32, EK_FLOAT32 } ek_type;
typedef struct {
    void *data;
    uint32_t bytes;
    ek_type type;
    float scale;
    int32_t zero_point;
    int32_t rank;
    int32_t shape[5];
} ek_tensor;
#define NETWORK_ARENA_BYTES 16
#define NETWORK_WEIGHT_BYTES 16
#define NETWORK_INPUTS 1
#define NETWORK_OUTPUTS 1
#define NETWORK_LAYERS 2
void network_init(void);
void network_invoke(void);
ek_tensor network_input(int index);
ek_tensor network_output(int index);
#if defined(EK_PROFILE)
extern const char *const network_layer_names[NETWORK_LAYERS];
void ek_layer_begin(int layer);
void ek_layer_end(int layer);
#endif
#if defined(EK_TRACE)
void ek_layer_trace(int layer, const void *output, uint32_t bytes);
#endif
#endif
"""

_SOURCE = """\
#include "network.h"

static int8_t input[4], middle[4], output[4];
static const int8_t weights[4][4] = {{1, 2, 3, 4}, {-4, 3, -2, 1}, {5, 0, 0, 5}, {1, -1, 1, -1}};

#if defined(EK_PROFILE)
const char *const network_layer_names[NETWORK_LAYERS] = {"dense 4x4", "add one"};
#else
#define ek_layer_begin(layer) (void)0
#define ek_layer_end(layer) (void)0
#endif
#if !defined(EK_TRACE)
#define ek_layer_trace(layer, output, bytes) (void)0
#endif

static void dense(void) {
    for (int row = 0; row < 4; row++) {
        int32_t sum = 0;
        for (int column = 0; column < 4; column++) {
            sum += weights[row][column] * input[column];
        }
        sum >>= 3;
        middle[row] = (int8_t)(sum < -128 ? -128 : sum > 127 ? 127 : sum);
    }
}

static void add_one(void) {
    for (int i = 0; i < 4; i++) {
        output[i] = (int8_t)(middle[i] < 127 ? middle[i] + 1 : 127);
    }
}

void network_init(void) {
}

void network_invoke(void) {
    ek_layer_begin(0);
    dense();
    ek_layer_end(0);
    ek_layer_trace(0, middle, sizeof middle);
    ek_layer_begin(1);
    add_one();
    ek_layer_end(1);
    ek_layer_trace(1, output, sizeof output);
}

ek_tensor network_input(int index) {
    (void)index;
    return (ek_tensor){input, sizeof input, EK_INT8, 1.0f, 0, 2, {1, 4}};
}

ek_tensor network_output(int index) {
    (void)index;
    return (ek_tensor){output, sizeof output, EK_INT8, 1.0f, 0, 2, {1, 4}};
}
"""

_WEIGHTS = np.array([[1, 2, 3, 4], [-4, 3, -2, 1], [5, 0, 0, 5], [1, -1, 1, -1]])


def reference(values: NDArray[np.int8]) -> NDArray[np.int8]:
    """What the network computes, int8 [4] -> int8 [4]."""
    middle = np.clip((_WEIGHTS @ values.astype(int)) >> 3, -128, 127)
    return np.minimum(middle + 1, 127).astype(np.int8)


def vectors(count: int = 5) -> list[tuple[NDArray[np.int8], NDArray[np.int8]]]:
    """Inputs and the outputs that belong to them."""
    inputs = np.random.default_rng(3).integers(-128, 128, (count, 4)).astype(np.int8)
    return [(values, reference(values)) for values in inputs]


def save_vectors(bundle: Path, pairs: list[tuple[NDArray[np.int8], NDArray[np.int8]]]) -> None:
    """Golden vectors as the exporter leaves them."""
    (bundle / "golden").mkdir(exist_ok=True)
    for side, arrays in zip(("input", "output"), zip(*pairs, strict=True), strict=True):
        np.save(bundle / "golden" / f"network.{side}.0.npy", np.stack(arrays))


def save_sound(bundle: Path, samples: NDArray[np.int16], made: NDArray[np.int8]) -> None:
    """Golden sound and its features as the exporter leaves them."""
    (bundle / "golden").mkdir(exist_ok=True)
    np.save(bundle / "golden" / "frontend.input.0.npy", samples[None])
    np.save(bundle / "golden" / "frontend.output.0.npy", made[None])


def write_sources(bundle: Path) -> None:
    """The folder `src` of a bundle."""
    (bundle / "src").mkdir(parents=True)
    (bundle / "src" / "network.h").write_text(_HEADER)
    (bundle / "src" / "network.c").write_text(_SOURCE)


_SOUND = {
    "frontend.h": """\
#ifndef FRONTEND_H
#define FRONTEND_H
#include <stddef.h>
#include <stdint.h>
#define FRONTEND_FEATURES 4
#define FRONTEND_STEP 320
#define FRONTEND_SAMPLE_RATE 16000
void frontend_reset(void);
size_t frontend_push(const int16_t *samples, size_t count, int8_t *features, int *ready);
#endif
""",
    "frontend.c": """\
#include "frontend.h"

static size_t filled;
static int32_t sums[FRONTEND_FEATURES];

void frontend_reset(void) {
    filled = 0;
    for (int i = 0; i < FRONTEND_FEATURES; i++) {
        sums[i] = 0;
    }
}

size_t frontend_push(const int16_t *samples, size_t count, int8_t *features, int *ready) {
    *ready = 0;
    for (size_t taken = 0; taken < count; taken++) {
        sums[filled % FRONTEND_FEATURES] += samples[taken];
        if (++filled == FRONTEND_STEP) {
            for (int i = 0; i < FRONTEND_FEATURES; i++) {
                features[i] = (int8_t)(sums[i] / (80 * 256));
            }
            frontend_reset();
            *ready = 1;
            return taken + 1;
        }
    }
    return count;
}
""",
    "detector.h": """\
#ifndef DETECTOR_H
#define DETECTOR_H
#include <stddef.h>
#include <stdint.h>
extern const char *const detector_labels[];
void detector_reset(void);
int detector_push(const int16_t *samples, size_t count, uint8_t *score);
#endif
""",
    "detector.c": """\
#include "detector.h"
#include "frontend.h"
#include "network.h"

const char *const detector_labels[] = {"quiet", "loud"};

void detector_reset(void) {
    frontend_reset();
    network_init();
}

int detector_push(const int16_t *samples, size_t count, uint8_t *score) {
    int event = -1;
    size_t done = 0;
    while (done < count) {
        int ready = 0;
        done += frontend_push(samples + done, count - done, network_input(0).data, &ready);
        if (ready) {
            network_invoke();
            const int8_t value = *(const int8_t *)network_output(0).data;
            if (score != NULL) {
                *score = (uint8_t)(value + 128);
            }
            event = value > 60 ? 1 : event;
        }
    }
    return event;
}
""",
}


def sound(steps: int = 10) -> NDArray[np.int16]:
    """Samples that grow louder: the detector's class 1 fires in the last of the steps, and only there."""
    return np.repeat((np.arange(steps) * 100).astype(np.int16), 320) * np.int16(15)


def features(samples: NDArray[np.int16]) -> NDArray[np.int8]:
    """What the frontend makes of the samples: int8 [steps, 4], sums of every fourth sample."""
    sums = samples.reshape(-1, 80, 4).astype(int).sum(axis=1)
    return np.trunc(sums / (80 * 256)).astype(np.int8)


def write_sound_sources(bundle: Path) -> None:
    """A frontend and a detector beside the network."""
    for name, text in _SOUND.items():
        (bundle / "src" / name).write_text(text)
