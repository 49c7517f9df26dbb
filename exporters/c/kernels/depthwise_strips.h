/* Strips of a 3x3 depthwise convolution: a few columns of a plane of 16-bit values, all rows, with the DSP extension.
 *
 * A word holds two neighbours, so that a row's three taps take two multiplies. With stride 1, the output at an even
 * offset takes both halves of one word and the low half of the next; its right neighbour the high half of the first and
 * both halves of the next. An output of 9 taps takes 13 instructions in a strip of 6, 6 of them multiplies and 4 the
 * requantization. */
#ifndef EDGEKIT_DEPTHWISE_STRIPS_H
#define EDGEKIT_DEPTHWISE_STRIPS_H

#include "dsp.h"

/* Where a strip of a channel is. The assembly knows the order of members. */
typedef struct {
    const int16_t *plane; /* the strip's first value; its offset is even */
    int32_t row_bytes;    /* of the plane */
    int32_t zero_point;
    int8_t *output;
    int32_t channels;   /* from an output to its right neighbour */
    int32_t output_row; /* from an output to the one below */
    int8_t *end;        /* output + rows * output_row */
} ek_strip;

/* What a channel is multiplied by. Bytes 0, 1 and 3 of a row are its taps. Byte 2 of the first row and that of the
 * second make the factor: 2^first + second; or the first is 0, and the second a shift for the general arithmetic. */
typedef struct {
    int32_t bias, multiplier;
    uint32_t rows[3];
} ek_strip_channel;

/* How wide the next strip is when `left` columns are left: with stride 1 only the last one may be odd. */
EK_INLINE int ek_strip_columns(int stride, int left) {
    if (stride == 1) return left >= 6 ? 6 : left == 4 ? 2 : left;
    return left == 6 || left == 3 ? 3 : left >= 4 ? 4 : 1;
}

#if defined(EK_DSP_INSTRUCTIONS)
/* Registers: r0 plane, r1 bytes of a row; r2 r3 weights of a row, later multiplier and factor; r4 up to r8 values, two
 * to a register, later zero point, output, channels; r8 to r12 and lr sums. lr is the last sum and holds the bias until
 * its turn. Stack: zero_point to end, bias, multiplier, factor, for each row its taps 0, 1 and its taps 1, 2. */
#define EK_STRIP_TAPS(low, high) \
    "sxtb16 " high ", " low ", ror #8\n sxtb16 " low ", " low "\n pkhbt " low ", " low ", " high ", lsl #16\n"
#define EK_STRIP_BEGIN \
    "push {r4-r11, lr}\n" \
    "ldm r1, {r2, r3, r5, r7, r9}\n" /* bias, multiplier, rows */ \
    "ubfx r4, r5, #16, #8\n ubfx r11, r7, #16, #8\n mov r12, #1\n lsl r4, r12, r4\n add r4, r4, r11\n" \
    EK_STRIP_TAPS("r5", "r6") EK_STRIP_TAPS("r7", "r8") EK_STRIP_TAPS("r9", "r10") \
    "push {r2-r10}\n" \
    "ldm r0, {r0, r1, r4-r8}\n" \
    "push {r4-r8}\n" \
    "1:\n"
/* A row of the kernel: at offset `w` of the stack its weights. */
#define EK_STRIP_ROW(w, values) "ldrd r2, r3, [sp, #" #w "]\n ldm r0, {" values "}\n"
#define EK_STRIP_BIAS "ldr lr, [sp, #20]\n"
#define EK_STRIP_DOWN "add r0, r0, r1\n"
#define EK_STRIP_UP "sub r0, r0, r1\n"
#define EK_EVEN(sum, a, b, start) "smlad " sum ", " a ", r2, " start "\n smlabt " sum ", " b ", r3, " sum "\n"
#define EK_ODD(sum, a, b, start) "smlatb " sum ", " a ", r2, " start "\n smlad " sum ", " b ", r3, " sum "\n"
#define EK_STRIP_CONSTANTS "ldrd r2, r3, [sp, #24]\n ldm sp, {r4, r5, r6}\n add r7, r5, r6\n"
#define EK_OUT(sum, place) \
    "smmlar " sum ", " sum ", r2, " sum "\n smmlar " sum ", " sum ", r3, r4\n" \
    "ssat " sum ", #8, " sum "\n strb " sum ", [" place "]\n"
#define EK_STRIP_END \
    "ldrd r2, r3, [sp, #12]\n add r5, r5, r2\n str r5, [sp, #4]\n cmp r5, r3\n bne 1b\n" \
    "add sp, #56\n pop {r4-r11, pc}\n"

#define EK_STRIP(name, values, first, other, outputs, back) \
    EK_ASSEMBLY void name(const ek_strip *s EK_UNUSED, const ek_strip_channel *c EK_UNUSED) { \
        __asm__(EK_STRIP_BEGIN EK_STRIP_BIAS \
                EK_STRIP_ROW(32, values) first EK_STRIP_DOWN \
                EK_STRIP_ROW(40, values) other EK_STRIP_DOWN \
                EK_STRIP_ROW(48, values) other back \
                EK_STRIP_CONSTANTS outputs EK_STRIP_END); \
    }

#define EK_1(s0) EK_EVEN("lr", "r4", "r5", "lr")
#define EK_2(s0) EK_EVEN("r8", "r4", "r5", s0("r8")) EK_ODD("lr", "r4", "r5", "lr")
#define EK_3(s0) \
    EK_EVEN("r8", "r4", "r5", s0("r8")) EK_ODD("r9", "r4", "r5", s0("r9")) EK_EVEN("lr", "r5", "r6", "lr")
#define EK_4_OF_5(s0) \
    EK_EVEN("r8", "r4", "r5", s0("r8")) EK_ODD("r9", "r4", "r5", s0("r9")) \
    EK_EVEN("r10", "r5", "r6", s0("r10")) EK_ODD("r11", "r5", "r6", s0("r11"))
#define EK_5(s0) EK_4_OF_5(s0) EK_EVEN("lr", "r6", "r7", "lr")
#define EK_6(s0) EK_4_OF_5(s0) EK_EVEN("r12", "r6", "r7", s0("r12")) EK_ODD("lr", "r6", "r7", "lr")
#define EK_FROM_BIAS(sum) "lr"
#define EK_FROM_SUM(sum) sum

EK_STRIP(ek_strip_1, "r4, r5", EK_1(EK_FROM_BIAS), EK_1(EK_FROM_SUM), EK_OUT("lr", "r5"), EK_STRIP_UP)
EK_STRIP(ek_strip_2, "r4, r5", EK_2(EK_FROM_BIAS), EK_2(EK_FROM_SUM), EK_OUT("r8", "r5") EK_OUT("lr", "r7"),
         EK_STRIP_UP)
EK_STRIP(ek_strip_3, "r4-r6", EK_3(EK_FROM_BIAS), EK_3(EK_FROM_SUM),
         EK_OUT("r8", "r5") EK_OUT("r9", "r7") EK_OUT("lr", "r5, r6, lsl #1"), EK_STRIP_UP)
EK_STRIP(ek_strip_5, "r4-r7", EK_5(EK_FROM_BIAS), EK_5(EK_FROM_SUM),
         EK_OUT("r8", "r5") EK_OUT("r9", "r7") EK_OUT("r10", "r5, r6, lsl #1") EK_OUT("r11", "r7, r6, lsl #1")
             EK_OUT("lr", "r5, r6, lsl #2"), EK_STRIP_UP)
EK_STRIP(ek_strip_6, "r4-r7", EK_6(EK_FROM_BIAS), EK_6(EK_FROM_SUM),
         EK_OUT("r8", "r5") EK_OUT("r9", "r7") EK_OUT("r10", "r5, r6, lsl #1") EK_OUT("r11", "r7, r6, lsl #1")
             EK_OUT("r12", "r5, r6, lsl #2") EK_OUT("lr", "r7, r6, lsl #2"), EK_STRIP_UP)

/* Stride 2: every output is at an even offset, and the next one's rows begin where this one's end. */
#define EK_3_BY_2(s0) \
    EK_EVEN("r9", "r4", "r5", s0("r9")) EK_EVEN("r10", "r5", "r6", s0("r10")) EK_EVEN("lr", "r6", "r7", "lr")
#define EK_4_BY_2(s0) \
    EK_EVEN("r9", "r4", "r5", s0("r9")) EK_EVEN("r10", "r5", "r6", s0("r10")) EK_EVEN("r11", "r6", "r7", s0("r11")) \
    EK_EVEN("lr", "r7", "r8", "lr")

EK_STRIP(ek_strip_1_by_2, "r4, r5", EK_1(EK_FROM_BIAS), EK_1(EK_FROM_SUM), EK_OUT("lr", "r5"), "")
EK_STRIP(ek_strip_3_by_2, "r4-r7", EK_3_BY_2(EK_FROM_BIAS), EK_3_BY_2(EK_FROM_SUM),
         EK_OUT("r9", "r5") EK_OUT("r10", "r7") EK_OUT("lr", "r5, r6, lsl #1"), "")
EK_STRIP(ek_strip_4_by_2, "r4-r8", EK_4_BY_2(EK_FROM_BIAS), EK_4_BY_2(EK_FROM_SUM),
         EK_OUT("r9", "r5") EK_OUT("r10", "r7") EK_OUT("r11", "r5, r6, lsl #1") EK_OUT("lr", "r7, r6, lsl #1"), "")

typedef void (*ek_strip_function)(const ek_strip *, const ek_strip_channel *);
#endif

/* The same in C, any requantization. */
static __attribute__((cold)) void ek_strip_plainly(const ek_strip *s, const ek_strip_channel *c, int stride,
                                                   int columns) {
    const int pitch = s->row_bytes / 2, unit = (c->rows[0] >> 16) & 0xFF, more = (int8_t)((c->rows[1] >> 16) & 0xFF);
    const int32_t factor = unit ? (1 << unit) + more : more - 64;
    const int16_t *top = s->plane;
    for (int8_t *output = s->output; output != s->end; output += s->output_row, top += stride * pitch)
        for (int x = 0; x < columns; ++x) {
            const int16_t *value = top + x * stride;
            int32_t sum = c->bias;
            for (int i = 0; i < 3; ++i, value += pitch) {
                const uint32_t even = ek_sxtb16(c->rows[i]), odd = ek_sxtb16_odd(c->rows[i]);
                const int32_t products =
                    value[0] * ek_low_half(even) + value[1] * ek_low_half(odd) + value[2] * ek_high_half(odd);
                sum = ek_wrapping_add(sum, products);
            }
            output[x * s->channels] = ek_requantize(sum, c->multiplier, factor, s->zero_point);
        }
}

static inline void ek_run_strip(const ek_strip *s, const ek_strip_channel *c, int stride, int columns) {
#if defined(EK_DSP_INSTRUCTIONS)
#define EK_STRIP_IF(stride, columns, name) (EK_TAKES(EK_WAY_STRIP(stride, columns)) ? (name) : NULL)
    static const ek_strip_function functions[2][6] = {
        {EK_STRIP_IF(1, 1, ek_strip_1), EK_STRIP_IF(1, 2, ek_strip_2), EK_STRIP_IF(1, 3, ek_strip_3), NULL,
         EK_STRIP_IF(1, 5, ek_strip_5), EK_STRIP_IF(1, 6, ek_strip_6)},
        {EK_STRIP_IF(2, 1, ek_strip_1_by_2), NULL, EK_STRIP_IF(2, 3, ek_strip_3_by_2),
         EK_STRIP_IF(2, 4, ek_strip_4_by_2), NULL, NULL}};
    if (c->rows[0] & 0xFF0000u) {
        functions[stride - 1][columns - 1](s, c);
        return;
    }
#endif
    if (EK_TAKES(EK_WAY_STRIP_PLAIN)) ek_strip_plainly(s, c, stride, columns);
}

#endif
