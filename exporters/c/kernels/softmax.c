/* SOFTMAX in fixed point, as gemmlowp and TensorFlow Lite compute it (gemmlowp/fixedpoint/fixedpoint.h). */
#include "arithmetic.h"
#include "edgekit.h"

/* Qm.n: m integer bits, n fraction bits, a sign. */
#define ONE_Q0_31 INT32_MAX
enum { DIFFERENCE_BITS = 5, SUM_BITS = 12 };

EK_INLINE int32_t multiply(int32_t a, int32_t b) { return ek_doubling_high_multiply(a, b); }

EK_INLINE int32_t saturating_left(int32_t x, int bits) {
    const int32_t most = INT32_MAX >> bits;
    return x > most ? INT32_MAX : x < -most - 1 ? INT32_MIN : (int32_t)((uint32_t)x << bits);
}

/* exp(a) in Q0.31 for a in [-1/4, 0) in Q0.31: a polynomial around -1/8. */
static int32_t exp_near_zero(int32_t a) {
    const int32_t at_eighth = 1895147668, third = 715827883;
    const int32_t x = a + (1 << 28);
    const int32_t x2 = multiply(x, x), x3 = multiply(x2, x), x4 = multiply(x2, x2);
    const int32_t high = multiply(ek_rounding_divide(x4, 2) + x3, third) + x2;
    return at_eighth + multiply(at_eighth, x + ek_rounding_divide(high, 1));
}

/* exp(a) in Q0.31 for a <= 0 in Q5.26: the quarter nearest to zero by the polynomial, the rest by factors. */
static int32_t exp_of_negative(int32_t a) {
    static const int32_t factor[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    if (a == 0) return ONE_Q0_31;
    const int32_t near = (a & (quarter - 1)) - quarter;
    int32_t result = exp_near_zero(saturating_left(near, DIFFERENCE_BITS));
    const int32_t rest = near - a;
    for (int i = 0; i < 7; i++)
        if (rest & (1 << (24 + i))) result = multiply(result, factor[i]);
    return result;
}

/* 1 / (1 + a) in Q0.31 for a in [0, 1) in Q0.31: three Newton-Raphson steps in Q2.29. */
static int32_t reciprocal_of_one_plus(int32_t a) {
    const int32_t half = (int32_t)(((int64_t)a + ONE_Q0_31 + 1) / 2);
    int32_t x = 1515870810 + multiply(half, -1010580540);
    for (int i = 0; i < 3; i++) x += saturating_left(multiply(x, (1 << 29) - multiply(half, x)), 2);
    return saturating_left(x, 1);
}

static int leading_zeros(uint32_t x) {
    int count = 0;
    for (; count < 32 && !(x & 0x80000000u); x <<= 1) count++;
    return count;
}

static int32_t exp_of_difference(const ek_softmax_layer *l, int32_t difference) {
    const int32_t left = (int32_t)((uint32_t)difference << l->shift);
    return exp_of_negative(multiply(left, l->multiplier));
}

static void softmax_row(const ek_softmax_layer *l, const int8_t *input, int8_t *output) {
    int32_t most = INT8_MIN, sum = 0;
    for (int32_t i = 0; i < l->depth; i++)
        if (input[i] > most) most = input[i];
    for (int32_t i = 0; i < l->depth; i++)
        if (input[i] - most >= l->least_difference)
            sum += ek_rounding_divide(exp_of_difference(l, input[i] - most), SUM_BITS);
    const int headroom = leading_zeros((uint32_t)sum);
    const int32_t scale = reciprocal_of_one_plus((int32_t)(((uint32_t)sum << headroom) - 0x80000000u));
    for (int32_t i = 0; i < l->depth; i++) {
        int32_t value = INT8_MIN;
        if (input[i] - most >= l->least_difference) {
            const int32_t share = multiply(scale, exp_of_difference(l, input[i] - most));
            value += ek_rounding_divide(share, SUM_BITS - headroom + 31 - 8);
        }
        output[i] = (int8_t)ek_clamp(value, INT8_MIN, INT8_MAX);
    }
}

void ek_softmax(const ek_softmax_layer *layer, const int8_t *input, int8_t *output) {
    for (int32_t row = 0; row < layer->rows; row++)
        softmax_row(layer, input + row * layer->depth, output + row * layer->depth);
}
