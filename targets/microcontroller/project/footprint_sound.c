/* The smallest firmware that takes samples and gives detections: what flash and RAM are reported from. */
#include "detector.h"

enum { SAMPLES = 320 };

static int16_t samples[SAMPLES];

int main(void) {
    detector_reset();
    return detector_push(samples, SAMPLES, 0) < 0;
}
