/* What the portable kernels share: dot products of one row of values with several rows of weights.
 *
 * Four rows at a time read each value once; a compiler keeps the four sums and the five pointers in registers even on a
 * Cortex-M3, which leaves about 2.3 instructions a multiply-add. */
#ifndef EDGEKIT_PORTABLE_H
#define EDGEKIT_PORTABLE_H

#include "arithmetic.h"
#include "edgekit.h"

EK_INLINE int8_t ek_output(const ek_requantization *q, int channel, int32_t sum) {
    const int32_t scaled = ek_scale(sum, q->multiplier[channel], q->shift[channel]) + q->zero_point;
    return (int8_t)ek_clamp(scaled, q->low, q->high);
}

/* `count` outputs of one row of `size` values; weights are [count][size]. */
static inline void ek_dot_rows(
    const ek_requantization *q, const int8_t *values, const int8_t *weights, int size, int count, int8_t *output
) {
    int o = 0;
    for (; o + 4 <= count; o += 4, weights += 4 * size) {
        const int8_t *x = values, *w0 = weights, *w1 = w0 + size, *w2 = w1 + size, *w3 = w2 + size;
        int32_t s0 = q->bias[o], s1 = q->bias[o + 1], s2 = q->bias[o + 2], s3 = q->bias[o + 3];
        for (const int8_t *end = x + size; x != end;) {
            const int32_t v = *x++;
            s0 += v * *w0++;
            s1 += v * *w1++;
            s2 += v * *w2++;
            s3 += v * *w3++;
        }
        output[o] = ek_output(q, o, s0);
        output[o + 1] = ek_output(q, o + 1, s1);
        output[o + 2] = ek_output(q, o + 2, s2);
        output[o + 3] = ek_output(q, o + 3, s3);
    }
    for (; o < count; o++, weights += size) {
        int32_t sum = q->bias[o];
        for (int k = 0; k < size; k++) sum += values[k] * weights[k];
        output[o] = ek_output(q, o, sum);
    }
}

#endif
