/* Sound that was recorded and compiled in. */
#include "audio.h"

#include "golden.h"

#include <string.h>

size_t audio_read(int16_t *samples, size_t count) {
    static size_t done;
    const size_t left = GOLDEN_SAMPLES - done;
    const size_t taken = count < left ? count : left;
    memcpy(samples, golden_audio + done, taken * sizeof *samples);
    done += taken;
    return taken;
}
