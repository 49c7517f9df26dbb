/* The inner part of CONV_2D for Helium: a block of output pixels, all output channels.
 *
 * Three channels at a time. Their sums live in memory ([pixel][3]) because that costs least: one pass holds 32 values
 * of the three rows of weights in six vector registers and runs over all pixels, two at a time:
 *
 *     ldm  six sums      1     q0-q5    weights: rows 0-2, first and second 16 values
 *     vldrb              4     q6, q7   the pixel
 *     vmladava          12     r0 r2 r4, r6 r8 r10   the sums of the first and the second pixel (even registers only)
 *     add, stm, le       4     21 instructions for 192 multiply-accumulates
 *
 * (The first pass needs no ldm; one of up to 16 values takes 14 instructions for 96.) Then each channel is requantized
 * with its pixels in the lanes: 17 to 19 instructions for 8 outputs.
 */
#ifndef EDGEKIT_MVE_CONVOLUTION_H
#define EDGEKIT_MVE_CONVOLUTION_H

#include "edgekit.h"
#include "mve.h"

enum { CHANNELS = 3, WIDE = 32, NARROW = 16 };

/* A block of output pixels, and where their taps lie. */
typedef struct {
    const ek_conv_2d_layer *layer;
    int32_t *sums;                          /* [pixels][CHANNELS] */
    int8_t *copies;                         /* rows or columns */
    int32_t pixels, lines, line_pixels;     /* lines * line_pixels pixels */
    int32_t line_step, step;                /* bytes from a line to the next one; from pixel to pixel */
    int32_t segments, length, segment_step; /* a pixel's taps: stretches of `length` bytes, `segment_step` apart */
    int32_t second, third;                  /* bytes from the first channel's row of weights to the others' */
    int overread;                           /* 31 bytes beyond the last pixel may be read */
} block;

#define SUMS "{r0, r2, r4, r6, r8, r10}"
#define LOAD_SUMS "ldm %[sums], " SUMS "\n\t"

/* MAC is VMLADAV, which starts the sums, or VMLADAVA. */
#define WIDE_PASS(LOAD, MAC)                                                                                 \
    __asm__ volatile("dls lr, %[pairs]\n"                                                                    \
                     "1:\n\t" LOAD                                                                           \
                     "vldrb.8 %q[v], [%[pixel]]\n\t" MAC " r0, %q[a0], %q[v]\n\t"                            \
                     "vldrb.8 %q[w], [%[pixel], #16]\n\t" MAC " r2, %q[a1], %q[v]\n\t"                       \
                     "add %[pixel], %[pixel], %[step]\n\t" MAC " r4, %q[a2], %q[v]\n\t"                      \
                     "vldrb.8 %q[v], [%[pixel]]\n\t"                                                         \
                     "vmladava.s8 r0, %q[b0], %q[w]\n\tvmladava.s8 r2, %q[b1], %q[w]\n\t"                    \
                     "vmladava.s8 r4, %q[b2], %q[w]\n\t"                                                     \
                     "vldrb.8 %q[w], [%[pixel], #16]\n\t" MAC " r6, %q[a0], %q[v]\n\t"                       \
                     "add %[pixel], %[pixel], %[step]\n\t" MAC " r8, %q[a1], %q[v]\n\t" MAC                  \
                     " r10, %q[a2], %q[v]\n\t"                                                               \
                     "vmladava.s8 r6, %q[b0], %q[w]\n\tvmladava.s8 r8, %q[b1], %q[w]\n\t"                    \
                     "vmladava.s8 r10, %q[b2], %q[w]\n\t"                                                    \
                     "stm %[sums]!, " SUMS "\n\t"                                                            \
                     "le lr, 1b"                                                                             \
                     : [v] "=&w"(v), [w] "=&w"(w), [pixel] "+r"(pixel), [sums] "+r"(sums)                    \
                     : [pairs] "r"(pairs), [step] "r"(step), [a0] "w"(a[0]), [a1] "w"(a[1]), [a2] "w"(a[2]), \
                       [b0] "w"(b[0]), [b1] "w"(b[1]), [b2] "w"(b[2])                                        \
                     : "r0", "r2", "r4", "r6", "r8", "r10", "lr", "memory")

#define NARROW_PASS(LOAD, MAC)                                                                          \
    __asm__ volatile("dls lr, %[pairs]\n"                                                               \
                     "1:\n\t" LOAD                                                                      \
                     "vpstt\n\tvldrbt.8 %q[v], [%[pixel]]\n\tvldrbt.8 %q[w], [%[second]]\n\t" MAC       \
                     " r0, %q[a0], %q[v]\n\t" MAC " r2, %q[a1], %q[v]\n\t" MAC " r4, %q[a2], %q[v]\n\t" \
                     "add %[pixel], %[pixel], %[step]\n\t" MAC " r6, %q[a0], %q[w]\n\t" MAC             \
                     " r8, %q[a1], %q[w]\n\t"                                                           \
                     "add %[second], %[second], %[step]\n\t" MAC " r10, %q[a2], %q[w]\n\t"              \
                     "stm %[sums]!, " SUMS "\n\t"                                                       \
                     "le lr, 1b"                                                                        \
                     : [v] "=&w"(v), [w] "=&w"(w), [pixel] "+r"(pixel), [second] "+r"(second),          \
                       [sums] "+r"(sums)                                                                \
                     : [pairs] "r"(pairs), [step] "r"(step), "Up"(lanes), [a0] "w"(a[0]),               \
                       [a1] "w"(a[1]), [a2] "w"(a[2])                                                   \
                     : "r0", "r2", "r4", "r6", "r8", "r10", "lr", "memory")

/* Adds (or begins with: `start`) the products of up to 32 values of every pixel to its sums: those at `pixel` and
 * beyond by those at `row`, the first channel's weights. An odd line's last pixel is a pair with itself: its second
 * sums land where there is no pixel. */
EK_INLINE void wide_lines(const block *at, const int8_t *next, const int8_t *row, int32_t length, int start) {
    const int8_t *row1 = row + at->second, *row2 = row + at->third;
    const mve_pred16_t lanes = vctp8q((uint32_t)(length - NARROW));
    const int8x16_t a[CHANNELS] = {vldrbq_s8(row), vldrbq_s8(row1), vldrbq_s8(row2)};
    const int8x16_t b[CHANNELS] = {vldrbq_z_s8(row + NARROW, lanes), vldrbq_z_s8(row1 + NARROW, lanes),
                                   vldrbq_z_s8(row2 + NARROW, lanes)};
    int32_t *sums = at->sums, lines = at->lines;
    do {
        const int8_t *pixel = next;
        int32_t pairs = at->line_pixels >> 1, step = at->step;
        int8x16_t v, w;
        if (pairs > 0) {
            if (start) {
                WIDE_PASS("", "vmladav.s8");
            } else {
                WIDE_PASS(LOAD_SUMS, "vmladava.s8");
            }
        }
        if (at->line_pixels & 1) {
            pairs = 1, step = 0;
            if (start) {
                WIDE_PASS("", "vmladav.s8");
            } else {
                WIDE_PASS(LOAD_SUMS, "vmladava.s8");
            }
        }
        next += at->line_step;
    } while (--lines > 0);
}

/* The same for up to 16 values: beyond `length` nothing is read. */
EK_INLINE void narrow_lines(const block *at, const int8_t *next, const int8_t *row, int32_t length, int start) {
    const mve_pred16_t lanes = vctp8q((uint32_t)length);
    const int8x16_t a[CHANNELS] = {vldrbq_z_s8(row, lanes), vldrbq_z_s8(row + at->second, lanes),
                                   vldrbq_z_s8(row + at->third, lanes)};
    int32_t *sums = at->sums, lines = at->lines;
    do {
        const int8_t *pixel = next, *second = next + at->step;
        int32_t pairs = at->line_pixels >> 1, step = 2 * at->step; /* from a pair to the next one */
        int8x16_t v, w;
        if (pairs > 0) {
            if (start) {
                NARROW_PASS("", "vmladav.s8");
            } else {
                NARROW_PASS(LOAD_SUMS, "vmladava.s8");
            }
        }
        if (at->line_pixels & 1) {
            pairs = 1, second = pixel;
            if (start) {
                NARROW_PASS("", "vmladav.s8");
            } else {
                NARROW_PASS(LOAD_SUMS, "vmladava.s8");
            }
        }
        next += at->line_step;
    } while (--lines > 0);
}

typedef void pass(const block *at, const int8_t *pixel, const int8_t *row, int32_t length);

EK_OUTLINE void start_wide(const block *at, const int8_t *pixel, const int8_t *row, int32_t length) {
    wide_lines(at, pixel, row, length, 1);
}

EK_OUTLINE void add_wide(const block *at, const int8_t *pixel, const int8_t *row, int32_t length) {
    wide_lines(at, pixel, row, length, 0);
}

EK_OUTLINE void start_narrow(const block *at, const int8_t *pixel, const int8_t *row, int32_t length) {
    narrow_lines(at, pixel, row, length, 1);
}

EK_OUTLINE void add_narrow(const block *at, const int8_t *pixel, const int8_t *row, int32_t length) {
    narrow_lines(at, pixel, row, length, 0);
}

/* All products of three channels, the first of whose rows of weights is at `row`. */
EK_INLINE void sum_channels(const block *at, const int8_t *pixels, const int8_t *row) {
    const int32_t least = at->overread ? NARROW + 1 : WIDE; /* that a wide pass is worth, or may read */
    pass *wide = start_wide, *narrow = start_narrow;
    for (int32_t segment = at->segments; segment > 0; segment--, pixels += at->segment_step) {
        const int8_t *pixel = pixels;
        int32_t left = at->length;
        for (; left >= least; left -= WIDE, pixel += WIDE, row += WIDE) {
            wide(at, pixel, row, left);
            wide = add_wide, narrow = add_narrow;
        }
        for (; left > 0; left -= NARROW, pixel += NARROW, row += NARROW) {
            narrow(at, pixel, row, left);
            wide = add_wide, narrow = add_narrow;
        }
        row += left; /* back, if the last pass went beyond the segment */
    }
}

/* What the outputs of a block have in common. */
typedef struct {
    int16x8_t low, high;
    uint16x8_t places; /* of eight pixels' outputs */
    int32_t zero_point, step, pixels;
} finish;

/* Eight pixels of one channel: sums 0, 2, 4, 6 and 1, 3, 5, 7 meet as the halves of 16-bit lanes. `saturates`: the
 * activation's range is that of int8, so that one narrowing does for two clamps. */
EK_INLINE int16x8_t requantize_8(const finish *how, uint32x4_t *addresses, int32_t bias, int32_t multiplier,
                                 int32_t shift, int divides, int saturates) {
    int32x4_t even, odd;
    EK_MVE_GATHER_NEXT(even, *addresses, 8 * CHANNELS * 4);
    odd = vldrwq_gather_base_s32(*addresses, CHANNELS * 4);
    even = ek_mve_scale(vaddq_n_s32(even, bias), multiplier, shift, divides);
    odd = ek_mve_scale(vaddq_n_s32(odd, bias), multiplier, shift, divides);
    int16x8_t both = vqmovntq_s32(vqmovnbq_s32(vuninitializedq_s16(), even), odd);
    both = vqaddq_n_s16(both, (int16_t)how->zero_point);
    if (saturates) { /* into the low bytes, which are what is stored */
        return vreinterpretq_s16_s8(vqmovnbq_s16(vuninitializedq_s8(), both));
    }
    return vminq_s16(vmaxq_s16(both, how->low), how->high);
}

EK_INLINE void requantize(const finish *how, const int32_t *sums, int32_t bias, int32_t multiplier, int32_t shift,
                          int divides, int saturates, int8_t *output) {
    uint32x4_t addresses = ek_mve_ramp((uint32_t)sums - 8 * CHANNELS * 4, 2 * CHANNELS * 4);
    for (int32_t whole = how->pixels >> 3; whole > 0; whole--, output += how->step) {
        vstrbq_scatter_offset_s16(output, how->places,
                                  requantize_8(how, &addresses, bias, multiplier, shift, divides, saturates));
    }
    if (how->pixels & 7) {
        vstrbq_scatter_offset_p_s16(output, how->places,
                                    requantize_8(how, &addresses, bias, multiplier, shift, divides, saturates),
                                    vctp16q((uint32_t)how->pixels & 7u));
    }
}

/* Where eight pixels' outputs lie further apart than 16-bit offsets reach. */
static void requantize_far(const block *at, int32_t channel, const int32_t *sums, int8_t *output) {
    const ek_requantization *to = &at->layer->requantization;
    for (int32_t i = 0; i < at->pixels; i++, sums += CHANNELS, output += at->layer->output_channels) {
        const int32_t sum = (int32_t)((uint32_t)*sums + (uint32_t)to->bias[channel]);
        const int32_t scaled = ek_scale(sum, to->multiplier[channel], to->shift[channel]);
        *output = (int8_t)ek_clamp(scaled + to->zero_point, to->low, to->high);
    }
}

/* `count` channels of the block. */
EK_OUTLINE void requantize_channels(const block *at, int32_t channel, int32_t count, int8_t *output) {
    const ek_requantization *to = &at->layer->requantization;
    const int32_t depth = at->layer->output_channels;
    const finish how = {.low = vdupq_n_s16((int16_t)to->low),
                        .high = vdupq_n_s16((int16_t)to->high),
                        .places = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)depth),
                        .zero_point = to->zero_point,
                        .step = 8 * depth,
                        .pixels = at->pixels};
    const int saturates = !EK_TAKES(EK_WAY_NARROW) || (to->low == INT8_MIN && to->high == INT8_MAX);
    const int32_t *sums = at->sums;
    for (const int32_t end = channel + count; channel < end; channel++, sums++) {
        const int32_t bias = to->bias[channel], multiplier = to->multiplier[channel], shift = to->shift[channel];
        const int divides = !EK_TAKES(EK_WAY_LEFT) || shift < 0;
        int8_t *place = output + channel;
        if (EK_TAKES(EK_WAY_FAR) && depth > UINT16_MAX / 7) {
            requantize_far(at, channel, sums, place);
        } else if (divides && saturates) {
            requantize(&how, sums, bias, multiplier, shift, 1, 1, place);
        } else if (divides) {
            requantize(&how, sums, bias, multiplier, shift, 1, 0, place);
        } else {
            requantize(&how, sums, bias, multiplier, shift, 0, 0, place);
        }
    }
}

/* A block of pixels, all channels. `output` is where the first pixel goes; the others follow it. */
EK_OUTLINE void compute_block(block *at, const int8_t *pixels, int8_t *output) {
    const int32_t row_bytes = at->segments * at->length, depth = at->layer->output_channels;
    const int8_t *weights = (const int8_t *)at->layer->weights;
    for (int32_t channel = 0; channel < depth; channel += CHANNELS, weights += CHANNELS * row_bytes) {
        const int32_t left = depth - channel;
        /* Channels that there are not are stood in for by the first of the three. */
        at->second = left > 1 ? row_bytes : 0;
        at->third = left > 2 ? 2 * row_bytes : 0;
        sum_channels(at, pixels, weights);
        requantize_channels(at, channel, left < CHANNELS ? left : CHANNELS, output);
    }
}

#endif
