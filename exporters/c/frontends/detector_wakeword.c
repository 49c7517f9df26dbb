/* Wake words: a streaming network takes a few frames a call and gives a probability; the mean of the last few decides.
 *
 * The rule is microWakeWord's: an event where the mean exceeds the model's cutoff, and none before the window is full.
 */
#include "detector.h"

#include <string.h>

#include "frontend.h"
#include "network.h"

#include "detector_tables.h"

static int8_t frames[DETECTOR_STRIDE][FRONTEND_FEATURES];
static size_t held; /* frames waiting for the next call */
static uint8_t probabilities[DETECTOR_SMOOTHED];
static uint32_t calls;
static int32_t quiet; /* calls until an event may follow */
static uint8_t latest;

void detector_reset(void)
{
    frontend_reset();
    network_init();
    held = 0;
    calls = 0;
    quiet = 0;
    latest = 0;
}

/* Whether this call of the network makes an event. */
static int decide(uint8_t probability)
{
    probabilities[calls++ % DETECTOR_SMOOTHED] = probability;
    if (calls < DETECTOR_SMOOTHED) {
        return 0;
    }
    uint32_t sum = 0;
    for (size_t i = 0; i < DETECTOR_SMOOTHED; i++) {
        sum += probabilities[i];
    }
    latest = (uint8_t)(sum / DETECTOR_SMOOTHED);
    if (quiet > 0) {
        quiet--;
        return 0;
    }
    if (sum <= DETECTOR_LIMIT) {
        return 0;
    }
    quiet = DETECTOR_REFRACTORY;
    return 1;
}

int detector_push(const int16_t *samples, size_t count, uint8_t *score)
{
    int heard = -1;
    while (count > 0) {
        int ready;
        size_t taken = frontend_push(samples, count, frames[held], &ready);
        samples += taken;
        count -= taken;
        held += ready ? 1 : 0;
        if (held == DETECTOR_STRIDE) {
            held = 0;
            memcpy(network_input(0).data, frames, sizeof frames);
            network_invoke();
            heard = decide(*(const uint8_t *)network_output(0).data) ? 0 : heard;
        }
    }
    if (score) {
        *score = latest;
    }
    return heard;
}
