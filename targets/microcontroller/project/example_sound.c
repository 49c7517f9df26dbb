/* An example to start from: listens, and prints what was detected and when. */
#include "audio.h"
#include "detector.h"
#include "print.h"

enum { SAMPLES_PER_MILLISECOND = 16, CHUNK = 320 };

int main(void) {
    static int16_t samples[CHUNK];
    uint32_t heard = 0;
    detector_reset();
    for (;;) {
        const size_t count = audio_read(samples, CHUNK);
        if (count == 0) {
            break;
        }
        heard += (uint32_t)count;
        uint8_t score = 0;
        const int detected = detector_push(samples, count, &score);
        if (detected >= 0) {
            print_unsigned(heard / SAMPLES_PER_MILLISECOND);
            print(" ms: ");
            print(detector_labels[detected]);
            print(", score ");
            print_unsigned(score);
            print(" of 255\n");
        }
    }
    return 0;
}
