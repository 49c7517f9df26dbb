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
/* Registers: r0 row, r1 weights, r2-r5 inputs, r6-r9 weights; r10 sums of outputs 0 and 1 (256 * second + first), r11 of
 * output 0, r12 of 2 and 3, lr of 2. Stack: the members. */
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

/* The sum of output `o` of a group. */
static int32_t sum_of(const int32_t *group, const uint32_t *row, int units, int o, int fast) {
    const int32_t *biases = group + (o & 2);
    const int32_t *words = group + OUTPUTS + 2 * (o & 2);
    int32_t sum = !(o & 1) ? biases[1] : fast ? ek_wrapping_add(biases[0], -biases[1]) / 256 : biases[0];
    for (int i = 0; i < 4 * units; ++i) {
        const uint32_t halves = (uint32_t)words[i / 4 * 8 + i % 4];
        sum = ek_smlad(o & 1 ? ek_second_channel(halves) : ek_first_channel(halves), row[i], sum);
    }
    return sum;
}

/* Outputs from `begin` to `end` of a row, any requantization. */
static __attribute__((cold)) void run_plainly(const groups *g, int units, int begin, int end, int fast) {
    const size_t words = (size_t)units * 8 + 3 * OUTPUTS;
    for (int o = begin; o < end; ++o) {
        const int32_t *group = g->weights + (size_t)(o / OUTPUTS) * words;
        const int32_t *constants = group + words - 2 * OUTPUTS + o % OUTPUTS;
        const int32_t sum = sum_of(group, g->row, units, o % OUTPUTS, fast);
        g->output[o] = ek_requantize(sum, constants[0], constants[OUTPUTS], g->zero_point);
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
