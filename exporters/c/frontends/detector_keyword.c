/* Keyword spotting: a network looks at the last second of features every few frames; means of its scores become events.
 *
 * The network was trained on sounds that were divided by their largest sample. Here that division happens when the network
 * looks: it adds the same number to coefficient 0 of every frame (see the Python part of this model).
 */
#include "detector.h"

#include <string.h>

#include "frontend.h"
#include "network.h"

#include "detector_tables.h"

#define LEVELS (sizeof levels / sizeof *levels)

static int8_t frames[DETECTOR_FRAMES][FRONTEND_FEATURES]; /* oldest first */
static int16_t peaks[DETECTOR_FRAMES];                    /* the largest sample that came with each of them */
static int16_t peak;
static int32_t wait;  /* frames until the next look */
static int32_t quiet; /* looks until an event may follow */
static uint8_t scores[DETECTOR_SMOOTHED][DETECTOR_CLASSES];
static uint32_t looks;
static uint8_t latest; /* the highest mean */

void detector_reset(void)
{
    frontend_reset();
    network_init();
    peak = INT16_MIN;
    wait = DETECTOR_FRAMES;
    quiet = 0;
    looks = 0;
    latest = 0;
    memset(scores, 0, sizeof scores);
}

static void remember(const int8_t *features)
{
    memmove(frames, frames + 1, sizeof frames - sizeof *frames);
    memcpy(frames[DETECTOR_FRAMES - 1], features, sizeof *frames);
    memmove(peaks, peaks + 1, sizeof peaks - sizeof *peaks);
    peaks[DETECTOR_FRAMES - 1] = peak;
    peak = INT16_MIN;
}

/* Steps by which coefficient 0 must rise for the last second to count as full scale. */
static int32_t level_shift(void)
{
    int32_t largest = 1;
    for (size_t i = 0; i < DETECTOR_FRAMES; i++) {
        largest = peaks[i] > largest ? peaks[i] : largest;
    }
    size_t shift = 0;
    while (shift < LEVELS && largest < levels[shift]) {
        shift++;
    }
    return (int32_t)shift;
}

static void look(uint8_t *out)
{
    int8_t *input = network_input(0).data;
    int32_t shift = level_shift();
    memcpy(input, frames, sizeof frames);
    for (size_t i = 0; i < DETECTOR_FRAMES; i++) {
        int32_t first = frames[i][0];
        first = first == -128 ? first : first + shift; /* digital silence stays what it is */
        input[i * FRONTEND_FEATURES] = (int8_t)(first > 127 ? 127 : first);
    }
    network_invoke();
    const int8_t *output = network_output(0).data;
    for (size_t i = 0; i < DETECTOR_CLASSES; i++) {
        out[i] = (uint8_t)(output[i] + 128);
    }
}

/* The word with the highest mean, if that exceeds the threshold and no event was just now; else -1. */
static int decide(void)
{
    int best = 0;
    uint32_t highest = 0;
    for (int i = 0; i < DETECTOR_WORDS; i++) {
        uint32_t sum = 0;
        for (size_t k = 0; k < DETECTOR_SMOOTHED; k++) {
            sum += scores[k][i];
        }
        if (sum > highest) {
            best = i;
            highest = sum;
        }
    }
    latest = (uint8_t)(highest / DETECTOR_SMOOTHED);
    if (quiet > 0) {
        quiet--;
        return -1;
    }
    if (highest <= DETECTOR_THRESHOLD * DETECTOR_SMOOTHED) {
        return -1;
    }
    quiet = DETECTOR_REFRACTORY;
    return best;
}

int detector_push(const int16_t *samples, size_t count, uint8_t *score)
{
    int heard = -1;
    while (count > 0) {
        int8_t features[FRONTEND_FEATURES];
        int ready;
        size_t taken = frontend_push(samples, count, features, &ready);
        for (size_t i = 0; i < taken; i++) {
            peak = samples[i] > peak ? samples[i] : peak;
        }
        samples += taken;
        count -= taken;
        if (!ready) {
            continue;
        }
        remember(features);
        if (--wait == 0) {
            wait = DETECTOR_HOP;
            look(scores[looks++ % DETECTOR_SMOOTHED]);
            int event = decide();
            heard = event >= 0 ? event : heard;
        }
    }
    if (score) {
        *score = latest;
    }
    return heard;
}
