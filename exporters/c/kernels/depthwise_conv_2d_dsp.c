/* DEPTHWISE_CONV_2D with the DSP extension. The weights' first word says which of three ways a layer takes.
 *
 * Planes (3x3, stride 1 or 2): two channels at a time are copied to scratch as padded planes of 16-bit values; then
 * each plane is computed in strips of a few columns (depthwise_strips.h). The output may take the input's place: what a
 * channel writes is where that same channel was read.
 * Taps (any kernel): 4 channels at a time, two taps a SMLAD. Plain: several outputs of one channel, tap by tap. */
#include "arithmetic.h"
#if defined(EK_PATH_DSP)
#include "depthwise_strips.h"
#include "dsp.h"

enum { TAPS = 0, PLAIN = 1, PLANES = 2 };

/* Planes of two channels, and what part of the input goes there: the input's values are padded where they are missing.
 * The assembly knows the order of members. */
typedef struct {
    const int8_t *input; /* of the first channel */
    int16_t *first;      /* where its first value goes */
    int32_t channels;    /* bytes from a value to its right neighbour */
    int32_t gap;         /* bytes from a plane to the other */
    int32_t rows;        /* of the input, as far as they are read */
    int32_t odd, even;   /* columns: 1 if the first one has an odd place, else 0; the others */
    int32_t input_row, plane_row; /* bytes */
} planes;

/* Copies two neighbouring channels to their planes: 16 instructions for 8 values in the inner loop. */
#if defined(EK_DSP_INSTRUCTIONS)
/* Registers: r0 input, r1 bytes to the neighbour, r2 r3 planes, r4-r7 values, r8 columns left, r9 r10 start of the row
 * in the input and the plane, r11 rows left, r12 gap, lr the members. */
EK_ASSEMBLY void copy_two(const planes *p EK_UNUSED) {
    __asm__(
        "push {r4-r11, lr}\n"
        "mov lr, r0\n"
        "ldrd r9, r10, [lr]\n ldrd r1, r12, [lr, #8]\n ldr r11, [lr, #16]\n"
        "1:\n"
        "ldrd r4, r8, [lr, #20]\n mov r0, r9\n mov r2, r10\n add r3, r2, r12\n"
        "cbz r4, 2f\n"
        "ldrsb r4, [r0]\n ldrsb r5, [r0, #1]\n add r0, r1\n strh r4, [r2], #2\n strh r5, [r3], #2\n"
        "2:\n"
        "subs r8, #4\n"
        "blt 4f\n"
        "3:\n"
        "ldrh r4, [r0]\n ldrh r5, [r0, r1]\n add r0, r0, r1, lsl #1\n"
        "ldrh r6, [r0]\n ldrh r7, [r0, r1]\n add r0, r0, r1, lsl #1\n"
        "orr r4, r4, r5, lsl #16\n orr r6, r6, r7, lsl #16\n"
        "sxtb16 r5, r4, ror #8\n sxtb16 r7, r6, ror #8\n sxtb16 r4, r4\n sxtb16 r6, r6\n"
        "strd r4, r6, [r2], #8\n strd r5, r7, [r3], #8\n"
        "subs r8, #4\n"
        "bge 3b\n"
        "4:\n"
        "adds r8, #2\n"
        "blt 5f\n"
        "ldrh r4, [r0]\n ldrh r5, [r0, r1]\n add r0, r0, r1, lsl #1\n"
        "orr r4, r4, r5, lsl #16\n sxtb16 r5, r4, ror #8\n sxtb16 r4, r4\n"
        "str r4, [r2], #4\n str r5, [r3], #4\n"
        "5:\n"
        "lsls r8, r8, #31\n"
        "beq 6f\n"
        "ldrsb r4, [r0]\n ldrsb r5, [r0, #1]\n strh r4, [r2]\n strh r5, [r3]\n"
        "6:\n"
        "ldrd r4, r5, [lr, #28]\n add r9, r4\n add r10, r5\n"
        "subs r11, #1\n"
        "bne 1b\n"
        "pop {r4-r11, pc}\n");
}
#else
static void copy_two(const planes *p) {
    for (int y = 0; y < p->rows; ++y)
        for (int x = 0; x < p->odd + p->even; ++x)
            for (int i = 0; i < 2; ++i)
                p->first[(y * p->plane_row + i * p->gap) / 2 + x] = p->input[y * p->input_row + x * p->channels + i];
}
#endif

static void copy_one(const planes *p) {
    for (int y = 0; y < p->rows; ++y)
        for (int x = 0; x < p->odd + p->even; ++x)
            p->first[y * p->plane_row / 2 + x] = p->input[y * p->input_row + x * p->channels];
}

static void run_planes(const ek_depthwise_conv_2d_layer *l, const int8_t *input, int16_t *scratch, int8_t *output) {
    const int channels = l->input_channels, stride = l->stride_width;
    const int height = (l->output_height - 1) * stride + 3, width = ((l->output_width - 1) * stride + 4) & ~1;
    const int row = l->output_width * channels, size = l->output_height * row;
    const ek_strip_channel *channel = (const ek_strip_channel *)((const int32_t *)l->weights + 1);
    ek_strip s = {scratch, 2 * width, l->requantization.zero_point, output, channels, row, output};
    planes p = {input, scratch + l->pad_top * width + l->pad_left, channels, 2 * height * width,
                ek_clamp(height - l->pad_top, 0, l->input_height), 0, ek_clamp(width - l->pad_left, 0, l->input_width),
                l->input_width * channels, 2 * width};
    p.odd = l->pad_left & 1 && p.even > 0;
    p.even -= p.odd;
    for (int i = 0; i < p.gap; ++i) scratch[i] = (int16_t)l->input_zero_point;
    for (int c = 0; c < channels; ++c, ++channel, ++p.input) {
        s.plane = scratch + (c & 1 ? p.gap / 2 : 0);
        s.output = output + c;
        if (!(c & 1) && c + 1 == channels) copy_one(&p);
        if (!(c & 1) && c + 1 < channels && p.rows > 0) copy_two(&p);
        for (int left = l->output_width; left > 0;) {
            const int columns = ek_strip_columns(stride, left);
            s.end = s.output + size;
            ek_run_strip(&s, channel, stride, columns);
            left -= columns;
            s.plane += columns * stride;
            s.output += columns * channels;
        }
    }
}

/* Where the taps of an output pixel are, from `input` on; -1: outside. */
static void find_taps(const ek_depthwise_conv_2d_layer *l, int y, int x, int32_t *places) {
    int t = 0;
    for (int i = 0; i < l->kernel_height; ++i)
        for (int j = 0; j < l->kernel_width; ++j) {
            const int row = y * l->stride_height - l->pad_top + i * l->dilation_height;
            const int column = x * l->stride_width - l->pad_left + j * l->dilation_width;
            const int inside = row >= 0 && row < l->input_height && column >= 0 && column < l->input_width;
            places[t++] = inside ? (row * l->input_width + column) * l->input_channels : -1;
        }
    if (t & 1) places[t] = -1;
}

/* Four channels of one output pixel: 17 instructions for 8 multiply-adds. `count`: how many channels there are. */
EK_INLINE void run_group(const int32_t *group, int pairs, const int32_t *places, const int8_t *input,
                         const int8_t *outside, int count, int32_t zero_point, int8_t *output) {
    int32_t sums[4] = {group[0], group[1], group[2], group[3]};
    group += 4;
    for (int i = 0; i < pairs; ++i, places += 2, group += 2) {
        const int8_t *first = places[0] < 0 ? outside : input + places[0];
        const int8_t *second = places[1] < 0 ? outside : input + places[1];
        uint32_t a = 0, b = 0;
        __builtin_memcpy(&a, first, (size_t)count);
        __builtin_memcpy(&b, second, (size_t)count);
        const uint32_t low = ek_pack_low(a, b), high = ek_pack_high(a, b);
        const uint32_t weights01 = (uint32_t)group[0], weights23 = (uint32_t)group[1];
        sums[0] = ek_smlad(ek_sxtb16(low), ek_sxtb16(weights01), sums[0]);
        sums[1] = ek_smlad(ek_sxtb16_odd(low), ek_sxtb16_odd(weights01), sums[1]);
        sums[2] = ek_smlad(ek_sxtb16(high), ek_sxtb16(weights23), sums[2]);
        sums[3] = ek_smlad(ek_sxtb16_odd(high), ek_sxtb16_odd(weights23), sums[3]);
    }
    for (int i = 0; i < count; ++i) output[i] = ek_requantize(sums[i], group[i], group[4 + i], zero_point);
}

static void run_taps(const ek_depthwise_conv_2d_layer *l, const int8_t *input, void *scratch, int8_t *output) {
    const int channels = l->input_channels, pairs = (l->kernel_height * l->kernel_width + 1) / 2;
    const int32_t zero_point = l->requantization.zero_point;
    int32_t *places = scratch;
    int8_t *outside = (int8_t *)(places + 2 * pairs);
    memset(outside, l->input_zero_point, (size_t)channels);
    for (int y = 0; y < l->output_height; ++y)
        for (int x = 0; x < l->output_width; ++x, output += channels) {
            const int32_t *group = (const int32_t *)l->weights + 1;
            int c = 0;
            find_taps(l, y, x, places);
            for (; c + 4 <= channels; c += 4, group += 12 + 2 * pairs)
                run_group(group, pairs, places, input + c, outside + c, 4, zero_point, output + c);
            if (c < channels)
                run_group(group, pairs, places, input + c, outside + c, channels - c, zero_point, output + c);
        }
}

static __attribute__((cold)) void run_plain(const ek_depthwise_conv_2d_layer *l, const int8_t *input, int8_t *output) {
    const int outputs = l->input_channels * l->depth_multiplier;
    const int32_t *bias = (const int32_t *)l->weights + 1, *multiplier = bias + outputs, *factor = multiplier + outputs;
    for (int y = 0; y < l->output_height; ++y)
        for (int x = 0; x < l->output_width; ++x)
            for (int c = 0; c < outputs; ++c) {
                const int8_t *weight = (const int8_t *)(factor + outputs) + c;
                int32_t sum = bias[c];
                for (int i = 0; i < l->kernel_height; ++i)
                    for (int j = 0; j < l->kernel_width; ++j, weight += outputs) {
                        const int row = y * l->stride_height - l->pad_top + i * l->dilation_height;
                        const int column = x * l->stride_width - l->pad_left + j * l->dilation_width;
                        const int inside = row >= 0 && row < l->input_height && column >= 0 && column < l->input_width;
                        const int place = (row * l->input_width + column) * l->input_channels + c / l->depth_multiplier;
                        sum = ek_wrapping_add(sum, *weight * (inside ? input[place] : l->input_zero_point));
                    }
                *output++ = ek_requantize(sum, multiplier[c], factor[c], l->requantization.zero_point);
            }
}

void ek_depthwise_conv_2d(const ek_depthwise_conv_2d_layer *l, const int8_t *input, void *scratch, int8_t *output) {
    const int32_t kind = *(const int32_t *)l->weights;
    if (EK_TAKES(EK_WAY_DEPTHWISE_PLAIN) && kind == PLAIN) run_plain(l, input, output);
    if (EK_TAKES(EK_WAY_DEPTHWISE_TAPS) && kind == TAPS) run_taps(l, input, scratch, output);
    if (EK_TAKES(EK_WAY_DEPTHWISE_PLANES) && kind == PLANES) run_planes(l, input, scratch, output);
    ek_clamp_outputs(&l->requantization, output,
                     l->output_height * l->output_width * l->input_channels * l->depth_multiplier);
}
#endif
