"""Programs around generated frontends and detectors, for this machine: with warnings as errors, and sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.exporters.c.frontend import frontend_files

#: A compiler may warn where it likes elsewhere; what a bundle ships is clean. No library but libc's memory functions.
FLAGS = (
    *("-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
)

Run = Callable[[NDArray[np.int16]], bytes]

FRONTEND_MAIN = """
#include <stdio.h>
#include "frontend.h"

int main(void)
{
    static int16_t samples[1000];
    int8_t features[FRONTEND_FEATURES];
    size_t count, wanted = 1;
    frontend_reset();
    while ((count = fread(samples, sizeof *samples, wanted, stdin)) > 0) {
        for (size_t i = 0; i < count;) {
            int ready;
            i += frontend_push(samples + i, count - i, features, &ready);
            fwrite(features, 1, ready ? sizeof features : 0, stdout);
        }
        wanted = wanted % 997 + 3; /* pieces of every size */
    }
    return 0;
}
"""

DETECTOR_MAIN = """
#include <stdio.h>
#include "detector.h"
#include "frontend.h"

int main(void)
{
    int16_t sample;
    detector_reset();
    for (long at = 1; fread(&sample, sizeof sample, 1, stdin) == 1; at++) {
        uint8_t score;
        int heard = detector_push(&sample, 1, &score);
        if (heard >= 0) {
            printf("%s %.3f %d\\n", detector_labels[heard], (double)at / FRONTEND_SAMPLE_RATE, score);
        }
    }
    return 0;
}
"""

#: A network of the contract's interface that hashes its input: every difference in what it is given shows.
NETWORK_HEADER = """
#ifndef NETWORK_H
#define NETWORK_H
#include <stdint.h>
typedef struct {
    void *data;
} ek_tensor;
void network_init(void);
void network_invoke(void);
ek_tensor network_input(int index);
ek_tensor network_output(int index);
#endif
"""
NETWORK = """
#include "network.h"
static int8_t input[INPUT];
static uint8_t output[OUTPUT];
static uint32_t state;
void network_init(void) { state = 0; }
ek_tensor network_input(int index) { (void)index; return (ek_tensor){input}; }
ek_tensor network_output(int index) { (void)index; return (ek_tensor){output}; }
void network_invoke(void)
{
    for (int i = 0; i < INPUT; i++) {
        state = (state ^ (uint8_t)input[i]) * 16777619u;
    }
    for (int i = 0; i < OUTPUT; i++) {
        uint32_t mixed = (state + (uint32_t)i) * 2654435761u;
        output[i] = (uint8_t)((mixed >> 24) | 64);
    }
}
"""

#: The intrinsics of the DSP extension that the code uses, for a machine without it (Arm C Language Extensions, 8.5).
ACLE = """
#ifndef ARM_ACLE_H
#define ARM_ACLE_H
#include <stdint.h>
static inline int32_t lo(int32_t a) { return (int16_t)(a & 0xFFFF); }
static inline int32_t hi(int32_t a) { return (int16_t)((uint32_t)a >> 16); }
static inline int32_t both(int32_t l, int32_t h) { return (int32_t)((uint32_t)h << 16 | ((uint32_t)l & 0xFFFFu)); }
static inline int32_t __smlabb(int32_t a, int32_t b, int32_t c) { return lo(a) * lo(b) + c; }
static inline int32_t __smlatb(int32_t a, int32_t b, int32_t c) { return hi(a) * lo(b) + c; }
static inline int32_t __smlsd(int32_t a, int32_t b, int32_t c) { return lo(a) * lo(b) - hi(a) * hi(b) + c; }
static inline int32_t __smladx(int32_t a, int32_t b, int32_t c) { return lo(a) * hi(b) + hi(a) * lo(b) + c; }
static inline int32_t __smuad(int32_t a, int32_t b) { return lo(a) * lo(b) + hi(a) * hi(b); }
static inline int32_t __sadd16(int32_t a, int32_t b) { return both(lo(a) + lo(b), hi(a) + hi(b)); }
static inline int32_t __ssub16(int32_t a, int32_t b) { return both(lo(a) - lo(b), hi(a) - hi(b)); }
static inline int32_t __sasx(int32_t a, int32_t b) { return both(lo(a) - hi(b), hi(a) + lo(b)); }
static inline int32_t __ssax(int32_t a, int32_t b) { return both(lo(a) + hi(b), hi(a) - lo(b)); }
static inline int32_t __shadd16(int32_t a, int32_t b) { return both((lo(a) + lo(b)) >> 1, (hi(a) + hi(b)) >> 1); }
static inline int32_t __shsub16(int32_t a, int32_t b) { return both((lo(a) - lo(b)) >> 1, (hi(a) - hi(b)) >> 1); }
#endif
"""


class Hash(Runner):
    """`NETWORK` in Python."""

    stateful = True
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, name: str, classes: int, dtype: str) -> None:
        self._name, self._classes, self._dtype, self._state = name, classes, dtype, 0

    def reset(self) -> None:
        self._state = 0

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        for byte in feeds["window"].tobytes():
            self._state = (self._state ^ byte) * 16777619 & 0xFFFFFFFF
        mixed = [(self._state + i) * 2654435761 & 0xFFFFFFFF for i in range(self._classes)]
        values = np.array([[value >> 24 | 64 for value in mixed]], np.uint8)
        return {self._name: values.view(self._dtype)}


def build(
    folder: Path, settings: Mapping[str, Any], kind: str, main: str, sources: Mapping[str, str], *flags: str
) -> Run:
    """Compile a frontend with a main program, and give what it prints for samples on its standard input."""
    for name, text in {**frontend_files(kind, settings), **sources, "main.c": main}.items():
        (folder / name).write_text(text)
    files = ["frontend.c", "main.c", *(name for name in sources if name.endswith(".c"))]
    if "network.c" in sources:
        files.append("detector.c")
    command = ["cc", *FLAGS, *flags, f"-I{folder}", *(str(folder / name) for name in files), "-o", str(folder / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def run(samples: NDArray[np.int16]) -> bytes:
        ran = subprocess.run([folder / "run"], input=samples.tobytes(), capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout

    return run


class Compiled(Runner):
    """A frontend in C as a runner."""

    inputs: tuple[TensorSpec, ...] = (TensorSpec("audio", "int16", ("samples",)),)
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, run: Run, features: int) -> None:
        self._run, self._features = run, features

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {"features": np.frombuffer(self._run(feeds["audio"]), np.int8).reshape(-1, self._features)}
