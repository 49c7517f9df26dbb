#include "frontend_test.h"

#include "golden.h"
#include "print.h"

#if defined(GOLDEN_FRAMES)

#include "frontend.h"

static uint32_t distance(int8_t a, int8_t b) {
    return (uint32_t)(a > b ? a - b : b - a);
}

uint32_t frontend_test(void) {
    int8_t features[FRONTEND_FEATURES];
    uint32_t frames = 0;
    uint32_t differing = 0;
    uint32_t furthest = 0;
    size_t done = 0;
    frontend_reset();
    while (done < GOLDEN_SAMPLES) {
        int ready = 0;
        done += frontend_push(golden_audio + done, GOLDEN_SAMPLES - done, features, &ready);
        if (!ready || frames == GOLDEN_FRAMES) {
            continue;
        }
        for (uint32_t i = 0; i < FRONTEND_FEATURES; i++) {
            const uint32_t off = distance(features[i], golden_features[frames][i]);
            differing += off != 0;
            furthest = off > furthest ? off : furthest;
        }
        frames++;
    }
    const int good = frames == GOLDEN_FRAMES && furthest <= GOLDEN_FEATURE_TOLERANCE;
    print_pair("frontend_frames", frames);
    print_pair("frontend_differing", differing);
    print_pair("frontend_furthest", furthest);
    print(good ? "frontend PASS\n" : "frontend FAIL\n");
    return !good;
}

#else

uint32_t frontend_test(void) {
    return 0;
}

#endif
