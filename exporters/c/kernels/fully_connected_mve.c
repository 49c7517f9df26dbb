/* FULLY_CONNECTED for Helium.
 *
 * Four outputs at a time: per 16 inputs one load of the input, four of weights, four VMLADAVA of 16 products each and
 * the loop's end: 10 instructions for 64 multiply-accumulates. The hardware predicates the loop's tail, so that any
 * number of inputs works and nothing is read beyond a row. VMLADAVA accumulates into even registers only ("Te").
 */
#include "arithmetic.h"
#if defined(EK_PATH_MVE)
#include "edgekit.h"
#include "mve.h"

/* The dot products of the input and four rows of weights. */
EK_INLINE int32x4_t dot_rows(const int8_t *input, const int8_t *row0, const int8_t *row1, const int8_t *row2,
                             const int8_t *row3, int32_t inputs) {
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    __asm__ volatile("dlstp.8 lr, %[inputs]\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[input]], #16\n\t"
                     "vldrb.8 q1, [%[row0]], #16\n\t"
                     "vmladava.s8 %[sum0], q0, q1\n\t"
                     "vldrb.8 q2, [%[row1]], #16\n\t"
                     "vmladava.s8 %[sum1], q0, q2\n\t"
                     "vldrb.8 q3, [%[row2]], #16\n\t"
                     "vmladava.s8 %[sum2], q0, q3\n\t"
                     "vldrb.8 q1, [%[row3]], #16\n\t"
                     "vmladava.s8 %[sum3], q0, q1\n\t"
                     "letp lr, 1b"
                     : [sum0] "+Te"(sum0), [sum1] "+Te"(sum1), [sum2] "+Te"(sum2), [sum3] "+Te"(sum3),
                       [input] "+r"(input), [row0] "+r"(row0), [row1] "+r"(row1), [row2] "+r"(row2), [row3] "+r"(row3)
                     : [inputs] "r"(inputs)
                     : "q0", "q1", "q2", "q3", "lr", "memory");
    return ek_mve_pack(sum0, sum1, sum2, sum3);
}

/* From the sums of four channels to their outputs; `lanes` says which of them there are. */
EK_INLINE void store_outputs(int32x4_t sums, const ek_requantization *to, int32_t channel, mve_pred16_t lanes,
                             int8_t *output) {
    const int32x4_t multiplier = vldrwq_z_s32(to->multiplier + channel, lanes);
    const int32x4_t shift = vldrbq_z_s32(to->shift + channel, lanes);
    sums = vaddq_s32(sums, vldrwq_z_s32(to->bias + channel, lanes));
    sums = ek_mve_scale_lanes(sums, multiplier, shift);
    sums = ek_mve_clamp(sums, to->zero_point, vdupq_n_s32(to->low), vdupq_n_s32(to->high));
    vstrbq_p_s32(output + channel, sums, lanes);
}

static void one_row(const ek_fully_connected_layer *layer, const int8_t *input, int8_t *output) {
    const int32_t inputs = layer->inputs, whole = layer->outputs & ~3, rest = layer->outputs & 3;
    const int8_t *row = (const int8_t *)layer->weights;
    int32_t channel = 0;
    for (; channel < whole; channel += 4, row += 4 * inputs) {
        const int8_t *row2 = row + 2 * inputs;
        const int32x4_t sums = dot_rows(input, row, row + inputs, row2, row2 + inputs, inputs);
        store_outputs(sums, &layer->requantization, channel, vctp32q(4), output);
    }
    if (rest > 0) { /* the rows that there are not are stood in for by the first */
        const int8_t *row1 = rest > 1 ? row + inputs : row, *row2 = rest > 2 ? row + 2 * inputs : row;
        const int32x4_t sums = dot_rows(input, row, row1, row2, row, inputs);
        store_outputs(sums, &layer->requantization, channel, vctp32q((uint32_t)rest), output);
    }
}

void ek_fully_connected(const ek_fully_connected_layer *layer, const int8_t *input, void *scratch, int8_t *output) {
    (void)scratch;
    for (int32_t row = 0; row < layer->rows; row++) {
        one_row(layer, input + row * layer->inputs, output + row * layer->outputs);
    }
}

#endif
