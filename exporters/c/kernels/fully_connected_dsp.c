/* FULLY_CONNECTED with the DSP extension: 4 outputs at a time.
 *
 * A row of inputs is unpacked to 16 bits once. For 8 inputs the inner loop takes 27 instructions, 16 of them SMLAD, for
 * 32 multiply-adds: 0.84 each. */
#include "arithmetic.h"
#if defined(EK_PATH_DSP)
#include "dsp.h"

enum { OUTPUTS = 4, UNROLLED = 4 };

/* A row against groups of 4 outputs. A unit is 8 inputs. The assembly knows the order of members. */
typedef struct {
    int32_t zero_point;
    int8_t *output, *end;       /* a multiple of 4 apart */
    const uint32_t *row;        /* unpacked: values 0 and 2, 1 and 3 of every 4 */
    const uint32_t *row_end;
    int32_t first;              /* units in the first trip of the unrolled loop: 1 to 4 */
    const int32_t *weights;
} groups;

#if defined(EK_DSP_INSTRUCTIONS)
/* Registers: r0 row, r1 weights, r2-r5 inputs, r6-r9 weights; r10 sums of outputs 0 and 1 (256 * second + first), r11
 * of output 0, r12 of 2 and 3, lr of 2. Stack: the members. */
#define PAIR(both, one) \
    "ldm.w r1!, {r6-r9}\n" \
    "smlad " both ", r6, r2, " both "\n smlad " both ", r7, r3, " both "\n" \
    "smlad " both ", r8, r4, " both "\n smlad " both ", r9, r5, " both "\n" \
    "sxtb16.w r6, r6\n sxtb16.w r7, r7\n sxtb16.w r8, r8\n sxtb16.w r9, r9\n" \
    "smlad " one ", r6, r2, " one "\n smlad " one ", r7, r3, " one "\n" \
    "smlad " one ", r8, r4, " one "\n smlad " one ", r9, r5, " one "\n"
#define UNIT "ldm.w r0!, {r2-r5}\n" PAIR("r10", "r11") PAIR("r12", "lr")

EK_ASSEMBLY void run_groups(const groups *g EK_UNUSED) {
    __asm__(
        "push {r4-r11, lr}\n"
        "sub sp, #28\n"
        "ldm r0!, {r1-r6}\n"
        "adr.w r7, 3f\n" /* the place in the loop from which `first` units are left */
        "mov r8, #108\n" /* bytes of a unit */
        "mls r6, r6, r8, r7\n"
        "orr r6, #1\n"
        "stm sp, {r1-r6}\n"
        "ldr r1, [r0]\n"
        "1:\n" /* a group: 28 instructions beside its units */
        "ldr r0, [sp, #12]\n"
        "ldm.w r1!, {r10, r11, r12, lr}\n"
        "ldr pc, [sp, #20]\n"
        ".balign 4\n"
        "2:\n" UNIT UNIT UNIT UNIT
        "3:\n"
        "ldr r2, [sp, #16]\n"
        "cmp r0, r2\n"
        "bne 2b\n"
        "sub r10, r10, r11\n asr r10, r10, #8\n"
        "sub r12, r12, lr\n asr r12, r12, #8\n"
        "ldm r1!, {r2-r5}\n" /* multipliers */
        "smmlar r11, r11, r2, r11\n smmlar r10, r10, r3, r10\n"
        "smmlar lr, lr, r4, lr\n smmlar r12, r12, r5, r12\n"
        "ldm r1!, {r2-r5}\n"     /* factors */
        "ldm sp, {r0, r6, r7}\n" /* zero point, output, end */
        "smmlar r11, r11, r2, r0\n smmlar r10, r10, r3, r0\n"
        "smmlar lr, lr, r4, r0\n smmlar r12, r12, r5, r0\n"
        "ssat r11, #8, r11\n ssat r10, #8, r10\n ssat lr, #8, lr\n ssat r12, #8, r12\n"
        "bfi r11, r10, #8, #8\n bfi lr, r12, #8, #8\n pkhbt r11, r11, lr, lsl #16\n"
        "str r11, [r6], #4\n"
        "str r6, [sp, #4]\n"
        "cmp r6, r7\n"
        "bne 1b\n"
        "add sp, #28\n"
        "pop {r4-r11, pc}\n");
}
#endif

/* A group of 4 outputs, or the first `count` of them, in plain C: 14 instructions for 8 multiply-adds in the general
 * layout. */
EK_INLINE void run_group(const groups *g, const int32_t *group, int units, int8_t *output, int count, int fast) {
    const int32_t *words = group + OUTPUTS, *constants = words + 8 * units;
    int32_t a = group[1], b = fast ? ek_wrapping_add(group[0], -a) / 256 : group[0];
    int32_t c = group[3], d = fast ? ek_wrapping_add(group[2], -c) / 256 : group[2];
    for (const uint32_t *values = g->row; words < constants; words += 4)
        for (const int32_t *end = words + 4; words < end; ++words, ++values) {
            const uint32_t x = *values, ab = (uint32_t)words[0], cd = (uint32_t)words[4];
            a = ek_smlad(ek_first_channel(ab), x, a), b = ek_smlad(ek_second_channel(ab, fast), x, b);
            c = ek_smlad(ek_first_channel(cd), x, c), d = ek_smlad(ek_second_channel(cd, fast), x, d);
        }
    const int32_t sums[OUTPUTS] = {a, b, c, d};
    for (int o = 0; o < count; ++o)
        output[o] = ek_requantize(sums[o], constants[o], constants[OUTPUTS + o], g->zero_point);
}

/* Outputs from `begin`, a multiple of 4, to `end`, any requantization. */
static __attribute__((noinline)) void run_plainly(const groups *g, int units, int begin, int end, int fast) {
    const int words = units * 8 + 3 * OUTPUTS;
    const int32_t *group = g->weights + (ptrdiff_t)(begin / OUTPUTS) * words;
    for (int o = begin; o < end; o += OUTPUTS, group += words) {
        const int count = end - o < OUTPUTS ? end - o : OUTPUTS;
        if (fast)
            run_group(g, group, units, g->output + o, count, 1);
        else
            run_group(g, group, units, g->output + o, count, 0);
    }
}

static void unpack(uint32_t *to, const int8_t *from, int count, int padded) {
    for (; count >= 4; count -= 4, padded -= 4, from += 4, to += 2) {
        const uint32_t bytes = ek_load_u32(from);
        to[0] = ek_sxtb16(bytes);
        to[1] = ek_sxtb16_odd(bytes);
    }
    for (; padded > 0; count -= 4, padded -= 4, from += 4, to += 2) {
        uint32_t bytes = 0;
        if (count > 0) memcpy(&bytes, from, (size_t)count);
        to[0] = ek_sxtb16(bytes);
        to[1] = ek_sxtb16_odd(bytes);
    }
}

void ek_fully_connected(const ek_fully_connected_layer *l, const int8_t *input, void *scratch, int8_t *output) {
    const int units = (l->inputs + 7) / 8;
    const int fast = *(const int32_t *)l->weights;
    groups g = {l->requantization.zero_point, output, output, scratch, (const uint32_t *)scratch + 4 * units,
        (units - 1) % UNROLLED + 1, (const int32_t *)l->weights + 1};
    for (int row = 0; row < l->rows; ++row, input += l->inputs) {
        int begin = 0;
        g.output = output + (ptrdiff_t)row * l->outputs;
        unpack(scratch, input, l->inputs, 8 * units);
#if defined(EK_DSP_INSTRUCTIONS)
        begin = fast ? l->outputs & ~(OUTPUTS - 1) : 0;
        g.end = g.output + begin;
        if (begin) run_groups(&g);
#endif
        if (EK_TAKES(EK_WAY_FULLY_CONNECTED_PLAIN) && begin < l->outputs)
            run_plainly(&g, units, begin, l->outputs, fast);
    }
    ek_clamp_outputs(&l->requantization, output, l->rows * l->outputs);
}
#endif
