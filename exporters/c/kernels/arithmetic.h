/* The integer arithmetic that every kernel shares. */
#ifndef EDGEKIT_ARITHMETIC_H
#define EDGEKIT_ARITHMETIC_H

#include <stdint.h>
#include <string.h>

/* The code path. The generated layout.h says for which one weights are laid out and working memory is reserved. The DSP
 * layout also runs without the extension, through C that does what its instructions do; the Helium one, whose weights
 * are in the plain order, runs the portable code elsewhere. */
#include "layout.h"
#if defined(EK_LAYOUT_DSP)
#define EK_PATH_DSP 1
#elif defined(EK_LAYOUT_HELIUM) && defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && !defined(EK_NO_MVE)
#define EK_PATH_MVE 1
#else
#define EK_PATH_PORTABLE 1
#endif

#define EK_INLINE static inline __attribute__((always_inline))

/* a * b * 2 / 2^32, rounded. For b > 0 and ties: as gemmlowp's SaturatingRoundingDoublingHighMul, negative a included:
 * its negative nudge (1 - 2^30) with truncation is the floor of the positive one. */
EK_INLINE int32_t ek_doubling_high_multiply(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^exponent, ties away from zero (gemmlowp's RoundingDivideByPOT). */
EK_INLINE int32_t ek_rounding_divide(int32_t x, int exponent) {
    const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/* x * multiplier * 2^(shift - 31). */
EK_INLINE int32_t ek_scale(int32_t x, int32_t multiplier, int shift) {
    const int left = shift > 0 ? shift : 0;
    const int right = shift > 0 ? 0 : -shift;
    return ek_rounding_divide(ek_doubling_high_multiply((int32_t)((uint32_t)x << left), multiplier), right);
}

EK_INLINE int32_t ek_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

#endif
