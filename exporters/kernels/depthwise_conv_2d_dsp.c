/* DEPTHWISE_CONV_2D with the DSP extension. The weights' first word says which of three ways a layer takes.
 *
 * Planes (3x3, stride 1 or 2): two channels at a time are copied to scratch as padded planes of 16-bit values; then each
 * plane is computed in strips of a few columns (depthwise_strips.h).
 * Taps (any kernel): 4 channels at a time, two taps a SMLAD. Plain: several outputs of one channel, tap by tap. */
#include "arithmetic.h"
#if defined(EK_PATH_DSP)
#include "depthwise_strips.h"
#include "dsp.h"

enum { TAPS = 0, PLAIN = 1 }; /* else: planes */

/* Copies `count` neighbours of two channels to the same offset, even, of their planes. */
EK_INLINE void copy_neighbours(const int8_t *from, int channels, int count, int16_t *to0, int16_t *to1) {
#if defined(EK_DSP_INSTRUCTIONS)
    __asm__ volatile(
        "subs %[count], #4\n"
        "blt 2f\n"
        "1:\n" /* 16 instructions for 8 values */
        "ldrh r4, [%[from]]\n ldrh r5, [%[from], %[step]]\n add %[from], %[from], %[step], lsl #1\n"
        "ldrh r6, [%[from]]\n ldrh r8, [%[from], %[step]]\n add %[from], %[from], %[step], lsl #1\n"
        "orr r4, r4, r5, lsl #16\n orr r6, r6, r8, lsl #16\n"
        "sxtb16 r5, r4, ror #8\n sxtb16 r8, r6, ror #8\n sxtb16 r4, r4\n sxtb16 r6, r6\n"
        "strd r4, r6, [%[to0]], #8\n strd r5, r8, [%[to1]], #8\n"
        "subs %[count], #4\n"
        "bge 1b\n"
        "2:\n"
        "adds %[count], #2\n"
        "blt 3f\n"
        "ldrh r4, [%[from]]\n ldrh r5, [%[from], %[step]]\n add %[from], %[from], %[step], lsl #1\n"
        "orr r4, r4, r5, lsl #16\n sxtb16 r5, r4, ror #8\n sxtb16 r4, r4\n"
        "str r4, [%[to0]], #4\n str r5, [%[to1]], #4\n"
        "3:\n"
        "lsls %[count], %[count], #31\n"
        "beq 4f\n"
        "ldrsb r4, [%[from]]\n ldrsb r5, [%[from], #1]\n strh r4, [%[to0]]\n strh r5, [%[to1]]\n"
        "4:\n"
        : [from] "+r"(from), [count] "+r"(count), [to0] "+r"(to0), [to1] "+r"(to1)
        : [step] "r"(channels)
        : "r4", "r5", "r6", "r8", "cc", "memory");
#else
    for (; count > 0; --count, from += channels) {
        *to0++ = from[0];
        *to1++ = from[1];
    }
#endif
}

/* The planes of two channels, and what part of the input goes there: all sizes in values. */
typedef struct {
    int height, width;   /* padded; the width is even */
    int rows, columns;   /* of the input, as far as they are read */
    int16_t *first;      /* where its first value goes */
    int gap;             /* from a plane to the next */
    int input_row;
} planes;

static planes make_planes(const ek_depthwise_conv_2d_layer *l, int16_t *scratch) {
    planes p;
    p.height = (l->output_height - 1) * l->stride_height + 3;
    p.width = ((l->output_width - 1) * l->stride_width + 4) & ~1;
    p.rows = p.height - l->pad_top < l->input_height ? p.height - l->pad_top : l->input_height;
    p.columns = p.width - l->pad_left < l->input_width ? p.width - l->pad_left : l->input_width;
    p.first = scratch + l->pad_top * p.width + l->pad_left;
    p.gap = p.height * p.width;
    p.input_row = l->input_width * l->input_channels;
    for (int i = 0; i < 2 * p.gap; ++i) scratch[i] = (int16_t)l->input_zero_point;
    return p;
}

/* Copies two neighbouring channels; what is padding in the planes already is. */
static void copy_two(const planes *p, const int8_t *input, int channels, int odd) {
    int16_t *to = p->first;
    const int gap = p->gap, width = p->width, row = p->input_row, columns = p->columns;
    for (int y = p->rows; y > 0; --y, input += row, to += width) {
        if (odd) {
            to[0] = input[0];
            to[gap] = input[1];
        }
        copy_neighbours(input + (odd ? channels : 0), channels, columns - odd, to + odd, to + odd + gap);
    }
}

static void copy_one(const planes *p, const int8_t *input, int channels) {
    for (int y = 0; y < p->rows; ++y)
        for (int x = 0; x < p->columns; ++x) p->first[y * p->width + x] = input[y * p->input_row + x * channels];
}

static void run_planes(const ek_depthwise_conv_2d_layer *l, const int8_t *input, void *scratch, int8_t *output) {
    const planes p = make_planes(l, scratch);
    const int channels = l->input_channels, stride = l->stride_width, odd = l->pad_left & 1 && p.columns > 0;
    const int row = l->output_width * channels, size = l->output_height * row;
    const ek_strip_channel *channel = (const ek_strip_channel *)((const int32_t *)l->weights + 1);
    ek_strip s = {scratch, 2 * p.width, l->requantization.zero_point, output, channels, row, output};
    for (int c = 0; c < channels; ++c, ++channel) {
        if (c & 1)
            s.plane = (int16_t *)scratch + p.gap;
        else if (c + 1 < channels)
            copy_two(&p, input + c, channels, odd);
        else
            copy_one(&p, input + c, channels);
        s.output = output + c;
        for (int left = l->output_width; left > 0;) {
            const int columns = ek_strip_columns(stride, left);
            s.end = s.output + size;
            ek_run_strip(&s, channel, stride, columns);
            left -= columns;
            s.plane += columns * stride;
            s.output += columns * channels;
        }
        s.plane = scratch;
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

static void run_plain(const ek_depthwise_conv_2d_layer *l, const int8_t *input, int8_t *output) {
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
    if (kind == PLAIN)
        run_plain(l, input, output);
    else if (kind == TAPS)
        run_taps(l, input, scratch, output);
    else
        run_planes(l, input, scratch, output);
    ek_clamp_outputs(&l->requantization, output,
                     l->output_height * l->output_width * l->input_channels * l->depth_multiplier);
}
#endif
