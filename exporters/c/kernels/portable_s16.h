/* What the products of int16 values and int8 weights share.
 *
 * A product takes 23 bits, so int32 holds the sum of 511 of them; only such partial sums are added in 64 bits, which
 * 32-bit processors do in two instructions or more. */
#ifndef EDGEKIT_PORTABLE_S16_H
#define EDGEKIT_PORTABLE_S16_H

#include "arithmetic.h"
#include "edgekit.h"

enum { EK_PRODUCTS_IN_32_BITS = 511 };

/* sum * multiplier * 2^(shift - 15), rounded once (the 64-bit MultiplyByQuantizedMultiplier of TensorFlow Lite); shift
 * is at most 7. What int32 cannot hold wraps around, as there. */
EK_INLINE int32_t ek_scale_wide(int64_t sum, int32_t multiplier, int shift) {
    const int right = 15 - shift;
    const uint64_t product = (uint64_t)sum * (uint64_t)multiplier + ((uint64_t)1 << (right - 1));
    return (int32_t)((int64_t)product >> right);
}

/* The output of `channel` for its sum of products. */
static inline int16_t ek_output_s16(const ek_requantization *q, const int64_t *bias, int channel, int64_t sum) {
    int32_t scaled;
    if (bias)
        scaled = ek_scale_wide(sum + bias[channel], q->multiplier[channel], q->shift[channel]);
    else /* the specification's accumulator is an int32 that wraps around */
        scaled = ek_scale((int32_t)(sum + q->bias[channel]), q->multiplier[channel], q->shift[channel]);
    return (int16_t)ek_clamp(scaled, q->low, q->high);
}

/* The outputs of four channels. A loop: scaling 64 bits takes 200 bytes of code on 32-bit processors. */
static inline void ek_four_outputs_s16(
    const ek_requantization *q, const int64_t *bias, int channel, const int64_t *sums, int16_t *output
) {
    for (int i = channel; i < channel + 4; i++) output[i] = ek_output_s16(q, bias, i, *sums++);
}

/* `count` outputs of one row of `size` values; weights are [count][size]. Four rows at a time read each value once. */
static inline void ek_dot_rows_s16(
    const ek_requantization *q, const int64_t *bias, const int16_t *values, const int8_t *weights, int size, int count,
    int16_t *output
) {
    int o = 0;
    for (; o + 4 <= count; o += 4, weights += 4 * size) {
        const int16_t *x = values, *const end = values + size;
        const int8_t *w0 = weights, *w1 = w0 + size, *w2 = w1 + size, *w3 = w2 + size;
        int64_t sums[4] = {0, 0, 0, 0};
        while (x != end) {
            const int16_t *const stop = end - x > EK_PRODUCTS_IN_32_BITS ? x + EK_PRODUCTS_IN_32_BITS : end;
            int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            while (x != stop) {
                const int32_t v = *x++;
                s0 += v * *w0++;
                s1 += v * *w1++;
                s2 += v * *w2++;
                s3 += v * *w3++;
            }
            sums[0] += s0;
            sums[1] += s1;
            sums[2] += s2;
            sums[3] += s3;
        }
        ek_four_outputs_s16(q, bias, o, sums, output);
    }
    for (; o < count; o++, weights += size) {
        int64_t sum = 0;
        for (int k = 0; k < size; k++) sum += values[k] * weights[k];
        output[o] = ek_output_s16(q, bias, o, sum);
    }
}

#endif
