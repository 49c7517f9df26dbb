/* SOFTMAX on int16 values: two tables, and straight lines between their entries. */
#include "arithmetic.h"
#include "edgekit.h"

/* The table's function at `value`: its upper nine bits choose the entry, the lower seven the place between two. */
static int32_t lookup(const int16_t *table, int32_t value) {
    const int16_t *const entry = table + 256 + (value >> 7);
    return entry[0] + (((entry[1] - entry[0]) * (value & 127) + 64) >> 7);
}

static int leading_zeros(uint32_t x) {
    int count = 0;
    for (; count < 32 && !(x & 0x80000000u); x <<= 1) count++;
    return count;
}

/* 1 / x with 15 fraction bits, where x is `sum` without its `zeros` leading zeros, as a number in [1, 2). */
static int32_t reciprocal_of(const int16_t *table, int32_t sum, int zeros) {
    const int64_t normal = (((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14;
    return lookup(table, ek_clamp((int32_t)normal - (1 << 15) - (1 << 16), INT16_MIN, INT16_MAX));
}

static void softmax_row(
    const ek_softmax_layer *l, const int16_t *exponential, const int16_t *reciprocal, const int16_t *input,
    int16_t *output
) {
    int32_t most = INT16_MIN, sum = 0;
    for (int32_t i = 0; i < l->depth; i++)
        if (input[i] > most) most = input[i];
    for (int32_t i = 0; i < l->depth; i++) {
        /* Differences of [-10, 0] are [-65535, 0]; what is below counts as -10. */
        const int32_t difference = ek_scale(input[i] - most, l->multiplier, (int)l->shift);
        output[i] = (int16_t)lookup(exponential, ek_clamp(difference + INT16_MAX, INT16_MIN, INT16_MAX));
        sum += output[i];
    }
    const int zeros = leading_zeros((uint32_t)sum), right = 31 - zeros;
    const int64_t share = reciprocal_of(reciprocal, sum, zeros);
    for (int32_t i = 0; i < l->depth; i++) {
        const int32_t value = (int32_t)((output[i] * share + ((int64_t)1 << (right - 1))) >> right);
        output[i] = (int16_t)ek_clamp(value, 0, INT16_MAX);
    }
}

void ek_softmax_s16(
    const ek_softmax_layer *layer, const int16_t *exponential, const int16_t *reciprocal, const int16_t *input,
    int16_t *output
) {
    for (int32_t row = 0; row < layer->rows; row++)
        softmax_row(layer, exponential, reciprocal, input + row * layer->depth, output + row * layer->depth);
}
