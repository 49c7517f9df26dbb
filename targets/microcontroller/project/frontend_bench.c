#include "frontend_bench.h"

#include "clock.h"
#include "golden.h"
#include "print.h"
#include "stack.h"

#if defined(GOLDEN_SAMPLES)

#include "frontend.h"

static int8_t features[FRONTEND_FEATURES];

/* Counts until the next frame is ready, or the audio is over; returns how many samples are done by then. */
static size_t one_frame(size_t done, uint32_t overhead) {
    int ready = 0;
    const uint32_t start = clock_now();
    while (!ready && done < GOLDEN_SAMPLES) {
        done += frontend_push(golden_audio + done, GOLDEN_SAMPLES - done, features, &ready);
    }
    const uint32_t count = clock_instructions(clock_now() - start) - clock_instructions(overhead);
    if (ready) {
        print_pair("frontend", count);
    }
    return done;
}

void frontend_bench(uint32_t overhead) {
    size_t done = 0;
    frontend_reset();
    stack_paint();
    while (done < GOLDEN_SAMPLES) {
        done = one_frame(done, overhead);
    }
    print_pair("frontend_stack", stack_used());
}

#else

void frontend_bench(uint32_t overhead) {
    (void)overhead;
}

#endif
