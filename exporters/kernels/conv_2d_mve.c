/* CONV_2D for Helium: weights stay in registers, pixels stream past them.
 *
 * A block of 40 or 80 output pixels is computed for three output channels at a time. Their sums live in memory
 * ([pixel][3], at most 960 bytes) because that costs least: one pass holds 32 input values of the three rows of weights
 * in six vector registers and runs over all pixels, two at a time:
 *
 *     ldm  six sums      1     q0-q5    weights: rows 0-2, first and second 16 values
 *     vldrb              4     q6, q7   the pixel
 *     vmladava          12     r0 r2 r4, r6 r8 r10   the sums of the first and the second pixel (even registers only)
 *     add, stm, le       4     21 instructions for 192 multiply-accumulates
 *
 * Then each channel is requantized with its pixels in the lanes. Where the pixels are read from:
 *   rows:    a kernel row's taps lie side by side in the input (or in a copy of the row with its padding);
 *   columns: each pixel's taps are first gathered. For kernel rows too short to fill vectors, and dilated ones.
 */
#include "arithmetic.h"
#if defined(EK_PATH_MVE)
#include <string.h>

#include "edgekit.h"
#include "mve.h"

enum { CHANNELS = 3, WIDE = 32, NARROW = 16 };

/* Working memory; _c_layout_mve.py counts the same. A block has more pixels where the kernel has many taps. */
enum { FEW_PIXELS = 40, MANY_PIXELS = 80, MANY_TAPS = 64, COPY_BYTES = 4096, COLUMN_BYTES = 2048 };

typedef struct {
    const ek_conv_2d_layer *layer;
    int32_t *sums;     /* [pixels][CHANNELS] */
    int8_t *copies;    /* rows or columns */
    int32_t pixels;    /* of the block, in `lines` lines of `line_pixels` */
    int32_t lines, line_pixels;
    int32_t line_step; /* bytes from a line's first pixel to the next line's */
    int32_t step;      /* bytes from pixel to pixel */
    int32_t segments, length, segment_step; /* a pixel's taps: stretches of `length` bytes, `segment_step` apart */
    int overread;      /* 31 bytes beyond the last pixel may be read */
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

/* Adds (or begins with: `start`) the products of 32 values of each of 2 * pairs pixels to their sums. */
EK_INLINE void wide_pass(const int8_t *pixel, int32_t step, int32_t pairs, const int8x16_t a[CHANNELS],
                         const int8x16_t b[CHANNELS], int start, int32_t *sums) {
    int8x16_t v, w;
    if (start) {
        WIDE_PASS("", "vmladav.s8");
    } else {
        WIDE_PASS(LOAD_SUMS, "vmladava.s8");
    }
}

#define NARROW_PASS(LOAD, MAC)                                                                             \
    __asm__ volatile("dls lr, %[pairs]\n"                                                                  \
                     "1:\n\t" LOAD                                                                         \
                     "vpstt\n\tvldrbt.8 %q[v], [%[pixel]]\n\tvldrbt.8 %q[w], [%[second]]\n\t" MAC          \
                     " r0, %q[a0], %q[v]\n\t" MAC " r2, %q[a1], %q[v]\n\t" MAC " r4, %q[a2], %q[v]\n\t"    \
                     "add %[pixel], %[pixel], %[step]\n\t" MAC " r6, %q[a0], %q[w]\n\t" MAC                \
                     " r8, %q[a1], %q[w]\n\t"                                                              \
                     "add %[second], %[second], %[step]\n\t" MAC " r10, %q[a2], %q[w]\n\t"                 \
                     "stm %[sums]!, " SUMS "\n\t"                                                          \
                     "le lr, 1b"                                                                           \
                     : [v] "=&w"(v), [w] "=&w"(w), [pixel] "+r"(pixel), [second] "+r"(second),             \
                       [sums] "+r"(sums)                                                                   \
                     : [pairs] "r"(pairs), [step] "r"(2 * step), "Up"(lanes), [a0] "w"(a[0]),              \
                       [a1] "w"(a[1]), [a2] "w"(a[2])                                                      \
                     : "r0", "r2", "r4", "r6", "r8", "r10", "lr", "memory")

/* The same for up to 16 values: no others than `lanes` are read. */
EK_INLINE void narrow_pass(const int8_t *pixel, int32_t step, int32_t pairs, const int8x16_t a[CHANNELS],
                           mve_pred16_t lanes, int start, int32_t *sums) {
    const int8_t *second = pixel + step;
    int8x16_t v, w;
    if (start) {
        NARROW_PASS("", "vmladav.s8");
    } else {
        NARROW_PASS(LOAD_SUMS, "vmladava.s8");
    }
}

/* An odd line's last pixel is a pair with itself: its second sums land where there is no pixel. */
EK_INLINE void wide_lines(const block *at, const int8_t *pixel, const int8x16_t a[CHANNELS],
                          const int8x16_t b[CHANNELS], int start) {
    const int32_t pairs = at->line_pixels >> 1;
    int32_t *sums = at->sums;
    for (int32_t line = at->lines; line > 0; line--, pixel += at->line_step, sums += 2 * CHANNELS * pairs) {
        if (pairs > 0) {
            wide_pass(pixel, at->step, pairs, a, b, start, sums);
        }
        if (at->line_pixels & 1) {
            wide_pass(pixel + 2 * pairs * at->step, 0, 1, a, b, start, sums + 2 * CHANNELS * pairs);
        }
    }
}

EK_INLINE void narrow_lines(const block *at, const int8_t *pixel, const int8x16_t a[CHANNELS], mve_pred16_t lanes,
                            int start) {
    const int32_t pairs = at->line_pixels >> 1;
    int32_t *sums = at->sums;
    for (int32_t line = at->lines; line > 0; line--, pixel += at->line_step, sums += 2 * CHANNELS * pairs) {
        if (pairs > 0) {
            narrow_pass(pixel, at->step, pairs, a, lanes, start, sums);
        }
        if (at->line_pixels & 1) {
            narrow_pass(pixel + 2 * pairs * at->step, 0, 1, a, lanes, start, sums + 2 * CHANNELS * pairs);
        }
    }
}

/* The next 32 values of each pixel, or up to 32. `row` is where the first channel's weights for them are. */
EK_INLINE void wide_step(const block *at, const int8_t *pixel, const int8_t *row, int32_t second, int32_t third,
                         int32_t length, int whole, int start) {
    const int8_t *row1 = row + second, *row2 = row + third;
    const int8x16_t a[CHANNELS] = {vldrbq_s8(row), vldrbq_s8(row1), vldrbq_s8(row2)};
    if (whole) {
        const int8x16_t b[CHANNELS] = {vldrbq_s8(row + NARROW), vldrbq_s8(row1 + NARROW), vldrbq_s8(row2 + NARROW)};
        wide_lines(at, pixel, a, b, start);
    } else {
        const mve_pred16_t lanes = vctp8q((uint32_t)(length - NARROW));
        const int8x16_t b[CHANNELS] = {vldrbq_z_s8(row + NARROW, lanes), vldrbq_z_s8(row1 + NARROW, lanes),
                                       vldrbq_z_s8(row2 + NARROW, lanes)};
        wide_lines(at, pixel, a, b, start);
    }
}

/* The next up to 16. */
EK_INLINE void narrow_step(const block *at, const int8_t *pixel, const int8_t *row, int32_t second, int32_t third,
                           int32_t length, int start) {
    const mve_pred16_t lanes = vctp8q((uint32_t)length);
    const int8x16_t a[CHANNELS] = {vldrbq_z_s8(row, lanes), vldrbq_z_s8(row + second, lanes),
                                   vldrbq_z_s8(row + third, lanes)};
    narrow_lines(at, pixel, a, lanes, start);
}

/* All products of three channels, whose rows of weights are at `row`, `second` and `third` bytes from it. */
EK_INLINE void sum_channels(const block *at, const int8_t *pixels, const int8_t *row, int32_t second, int32_t third) {
    int start = 1;
    for (int32_t segment = at->segments; segment > 0; segment--, pixels += at->segment_step) {
        const int8_t *pixel = pixels;
        int32_t left = at->length;
        if (start && left >= WIDE) {
            wide_step(at, pixel, row, second, third, WIDE, 1, 1);
            left -= WIDE, pixel += WIDE, row += WIDE, start = 0;
        }
        for (; left >= WIDE; left -= WIDE, pixel += WIDE, row += WIDE) {
            wide_step(at, pixel, row, second, third, WIDE, 1, 0);
        }
        if (left > NARROW && at->overread) {
            if (start) {
                wide_step(at, pixel, row, second, third, left, 0, 1);
            } else {
                wide_step(at, pixel, row, second, third, left, 0, 0);
            }
            row += left, left = 0, start = 0;
        }
        for (; left > 0; left -= NARROW, pixel += NARROW, row += NARROW, start = 0) {
            if (start) {
                narrow_step(at, pixel, row, second, third, left, 1);
            } else {
                narrow_step(at, pixel, row, second, third, left, 0);
            }
        }
        row += left; /* back, if the last step went beyond the segment */
    }
}

/* What requantization of a block needs, whatever the channel. */
typedef struct {
    int16x8_t low, high;
    uint16x8_t places;     /* of eight pixels' outputs */
    uint32x4_t addresses;  /* of the sums of pixels -8, -6, -4, -2 */
    int32_t zero_point, step, pixels;
} finish;

/* Eight pixels of one channel: sums 0, 2, 4, 6 and 1, 3, 5, 7 meet as the halves of 16-bit lanes. */
EK_INLINE int16x8_t requantize_8(const finish *how, uint32x4_t *addresses, int32_t bias, int32_t multiplier,
                                 int32_t shift, int divides) {
    int32x4_t even, odd;
    EK_MVE_GATHER_NEXT(even, *addresses, 8 * CHANNELS * 4);
    odd = vldrwq_gather_base_s32(*addresses, CHANNELS * 4);
    even = ek_mve_scale(vaddq_n_s32(even, bias), multiplier, shift, divides);
    odd = ek_mve_scale(vaddq_n_s32(odd, bias), multiplier, shift, divides);
    const int16x8_t both = vqmovntq_s32(vqmovnbq_s32(vuninitializedq_s16(), even), odd);
    return vminq_s16(vmaxq_s16(vqaddq_n_s16(both, (int16_t)how->zero_point), how->low), how->high);
}

EK_INLINE void requantize(const finish *how, uint32x4_t addresses, int32_t bias, int32_t multiplier, int32_t shift,
                          int divides, int8_t *output) {
    for (int32_t whole = how->pixels >> 3; whole > 0; whole--, output += how->step) {
        vstrbq_scatter_offset_s16(output, how->places,
                                  requantize_8(how, &addresses, bias, multiplier, shift, divides));
    }
    if (how->pixels & 7) {
        vstrbq_scatter_offset_p_s16(output, how->places,
                                    requantize_8(how, &addresses, bias, multiplier, shift, divides),
                                    vctp16q((uint32_t)how->pixels & 7u));
    }
}

/* A block of pixels, all channels. `output` is where the first pixel goes; the others follow it. */
__attribute__((noinline)) static void compute_block(const block *at, const int8_t *pixels, int8_t *output) {
    const ek_conv_2d_layer *layer = at->layer;
    const ek_requantization *to = &layer->requantization;
    const int32_t row_bytes = at->segments * at->length, depth = layer->output_channels;
    const finish how = {.low = vdupq_n_s16((int16_t)to->low),
                        .high = vdupq_n_s16((int16_t)to->high),
                        .places = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)depth),
                        .addresses = ek_mve_ramp((uint32_t)at->sums - 8 * CHANNELS * 4, 2 * CHANNELS * 4),
                        .zero_point = to->zero_point,
                        .step = 8 * depth,
                        .pixels = at->pixels};
    const int8_t *weights = (const int8_t *)layer->weights, *shift = to->shift;
    const int32_t *bias = to->bias, *multiplier = to->multiplier;
    for (int32_t left = depth; left > 0; left -= CHANNELS, weights += CHANNELS * row_bytes) {
        /* Channels that there are not are stood in for by the first of the three. */
        sum_channels(at, pixels, weights, left > 1 ? row_bytes : 0, left > 2 ? 2 * row_bytes : 0);
        const int32_t count = left < CHANNELS ? left : CHANNELS;
        uint32x4_t addresses = how.addresses;
        for (int32_t i = count; i > 0; i--, bias++, multiplier++, shift++, output++) {
            if (*shift < 0) {
                requantize(&how, addresses, *bias, *multiplier, *shift, 1, output);
            } else {
                requantize(&how, addresses, *bias, *multiplier, *shift, 0, output);
            }
            addresses = vaddq_n_u32(addresses, 4);
        }
    }
}

/* `columns` pixels of `rows` input rows, from (top, left) on, with the padding around the input. */
static void copy_rows(const ek_conv_2d_layer *layer, const int8_t *input, int32_t top, int32_t left, int32_t rows,
                      int32_t columns, int8_t *copy) {
    const int32_t width = layer->input_width, depth = layer->input_channels;
    const int32_t before = left < 0 ? -left : 0;
    const int32_t beyond = left + columns > width ? left + columns - width : 0;
    const int32_t inside = columns - before - beyond;
    const int8x16_t padding = vdupq_n_s8((int8_t)layer->input_zero_point);
    for (int32_t y = top; y < top + rows; y++, copy += columns * depth) {
        if (y < 0 || y >= layer->input_height) {
            ek_mve_fill(copy, padding, columns * depth);
            continue;
        }
        ek_mve_fill(copy, padding, before * depth);
        ek_mve_copy(copy + before * depth, input + (y * width + left + before) * depth, inside * depth);
        ek_mve_fill(copy + (before + inside) * depth, padding, beyond * depth);
    }
}

/* Pixels of a line to a block: near equal shares of at most `most`, in eights. */
static int32_t share_of_line(int32_t width, int32_t most) {
    const int32_t blocks = (width + most - 1) / most, share = ((width + blocks - 1) / blocks + 7) & ~7;
    return share < most ? share : most;
}

static int32_t most_pixels(const ek_conv_2d_layer *layer) {
    const int32_t taps = layer->kernel_height * layer->kernel_width * layer->input_channels;
    return taps >= MANY_TAPS ? MANY_PIXELS : FEW_PIXELS;
}

/* Short lines share a block, but for odd ones (see wide_lines). */
static int32_t lines_of_block(int32_t width, int32_t most) {
    return (width & 1) == 0 && width <= most ? most / width : 1;
}

/* Of the input, with its padding, for `lines` lines of `pixels` output pixels. */
static int32_t copied_bytes(const ek_conv_2d_layer *layer, int32_t lines, int32_t pixels) {
    const int32_t rows = (lines - 1) * layer->stride_height + (layer->kernel_height - 1) * layer->dilation_height + 1;
    const int32_t columns = (pixels - 1) * layer->stride_width + layer->kernel_width;
    return rows * columns * layer->input_channels;
}

static int32_t pixels_that_fit(const ek_conv_2d_layer *layer, int32_t most) {
    int32_t pixels = layer->output_width < most ? layer->output_width : most;
    while (pixels > 2 && copied_bytes(layer, 1, pixels) > COPY_BYTES) {
        pixels--;
    }
    return pixels;
}

static int32_t lines_that_fit(const ek_conv_2d_layer *layer, int32_t most) {
    int32_t lines = lines_of_block(layer->output_width, most);
    while (lines > 1 && copied_bytes(layer, lines, layer->output_width) > COPY_BYTES) {
        lines--;
    }
    return lines;
}

static int is_pointwise(const ek_conv_2d_layer *layer) {
    return layer->kernel_height == 1 && layer->kernel_width == 1 && layer->stride_height == 1 &&
           layer->stride_width == 1 && layer->pad_top == 0 && layer->pad_left == 0 &&
           layer->input_height == layer->output_height && layer->input_width == layer->output_width;
}

/* Whether no tap falls outside of the input. */
static int is_unpadded(const ek_conv_2d_layer *layer) {
    const int32_t bottom = (layer->output_height - 1) * layer->stride_height +
                           (layer->kernel_height - 1) * layer->dilation_height;
    const int32_t right = (layer->output_width - 1) * layer->stride_width +
                          (layer->kernel_width - 1) * layer->dilation_width;
    return layer->pad_top == 0 && layer->pad_left == 0 && bottom < layer->input_height && right < layer->input_width;
}

static void convolve_rows(const ek_conv_2d_layer *layer, const int8_t *input, int32_t *sums, int8_t *output) {
    const int32_t depth = layer->input_channels, flat = is_pointwise(layer), direct = is_unpadded(layer);
    const int32_t width = flat ? layer->output_height * layer->output_width : layer->output_width;
    const int32_t height = flat ? 1 : layer->output_height;
    const int32_t most = most_pixels(layer), fit = direct ? most : pixels_that_fit(layer, most);
    const int32_t share = width <= fit ? width : share_of_line(width, fit);
    const int32_t most_lines = share < width ? 1 : direct ? lines_of_block(width, most) : lines_that_fit(layer, most);
    block at = {.layer = layer, .sums = sums, .copies = (int8_t *)(sums + CHANNELS * most), .overread = !direct};
    at.step = layer->stride_width * depth;
    at.segments = layer->kernel_height;
    at.length = layer->kernel_width * depth;
    for (int32_t y = 0; y < height; y += at.lines) {
        at.lines = height - y < most_lines ? height - y : most_lines;
        const int32_t top = y * layer->stride_height - layer->pad_top;
        for (int32_t x = 0; x < width; x += at.line_pixels) {
            at.line_pixels = width - x < share ? width - x : share;
            at.pixels = at.lines * at.line_pixels;
            const int32_t left = x * layer->stride_width - layer->pad_left;
            int32_t row_bytes = layer->input_width * depth;
            const int8_t *pixels = input + top * row_bytes + left * depth;
            if (!direct) {
                const int32_t columns = (at.line_pixels - 1) * layer->stride_width + layer->kernel_width;
                const int32_t rows = (at.lines - 1) * layer->stride_height +
                                     (layer->kernel_height - 1) * layer->dilation_height + 1;
                copy_rows(layer, input, top, left, rows, columns, at.copies);
                row_bytes = columns * depth;
                pixels = at.copies;
            }
            at.line_step = layer->stride_height * row_bytes;
            at.segment_step = layer->dilation_height * row_bytes;
            compute_block(&at, pixels, output + (y * width + x) * layer->output_channels);
        }
    }
}

/* From `count` pixels of an input row, `step` bytes apart, to as many columns: `bytes` bytes of each. */
EK_INLINE void spread(const int8_t *row, int32_t step, int32_t count, int32_t bytes, int8_t *columns,
                      int32_t column_bytes) {
    if (bytes > NARROW) {
        for (; count > 0; count--, row += step, columns += column_bytes) {
            ek_mve_copy(columns, row, bytes);
        }
    } else {
        const mve_pred16_t lanes = vctp8q((uint32_t)bytes);
        for (; count > 0; count--, row += step, columns += column_bytes) {
            vstrbq_p_s8(columns, vldrbq_z_s8(row, lanes), lanes);
        }
    }
}

/* The columns of `count` output pixels of one line, the first of whose taps is at (top, left). */
static void gather_columns(const ek_conv_2d_layer *layer, const int8_t *input, int32_t top, int32_t left,
                           int32_t count, int8_t *row, int8_t *columns, int32_t column_bytes) {
    const int32_t depth = layer->input_channels, step = layer->stride_width * depth;
    const int32_t reach = (count - 1) * layer->stride_width + (layer->kernel_width - 1) * layer->dilation_width + 1;
    for (int32_t i = 0; i < layer->kernel_height; i++) {
        copy_rows(layer, input, top + i * layer->dilation_height, left, 1, reach, row);
        if (layer->dilation_width == 1) {
            spread(row, step, count, layer->kernel_width * depth, columns, column_bytes);
            columns += layer->kernel_width * depth;
            continue;
        }
        for (int32_t j = 0; j < layer->kernel_width; j++, columns += depth) {
            spread(row + j * layer->dilation_width * depth, step, count, depth, columns, column_bytes);
        }
    }
}

static void convolve_columns(const ek_conv_2d_layer *layer, const int8_t *input, int32_t *sums, int8_t *output) {
    const int32_t taps = layer->kernel_height * layer->kernel_width * layer->input_channels;
    const int32_t column_bytes = (taps + 15) & ~15, fit = COLUMN_BYTES / column_bytes & ~1;
    const int32_t limit = most_pixels(layer), most = fit < 2 ? 2 : fit < limit ? fit : limit;
    const int32_t width = layer->output_width, height = layer->output_height;
    const int32_t most_lines = width <= most ? most / width : 1, share = most_lines > 1 ? width : share_of_line(width, most);
    block at = {.layer = layer, .sums = sums, .copies = (int8_t *)(sums + CHANNELS * limit), .lines = 1,
                .overread = 1, .step = column_bytes, .segments = 1, .length = taps};
    int8_t *row = at.copies + most * column_bytes + WIDE;
    for (int32_t y = 0, lines; y < height; y += lines) {
        lines = height - y < most_lines ? height - y : most_lines;
        for (int32_t x = 0, pixels; x < width; x += pixels) {
            pixels = width - x < share ? width - x : share;
            for (int32_t i = 0; i < lines; i++) {
                gather_columns(layer, input, (y + i) * layer->stride_height - layer->pad_top,
                               x * layer->stride_width - layer->pad_left, pixels, row,
                               at.copies + i * pixels * column_bytes, column_bytes);
            }
            at.pixels = at.line_pixels = lines * pixels;
            compute_block(&at, at.copies, output + (y * width + x) * layer->output_channels);
        }
    }
}

void ek_conv_2d(const ek_conv_2d_layer *layer, const int8_t *input, void *scratch, int8_t *output) {
    const int32_t row_values = layer->kernel_width * layer->input_channels;
    const int is_one_tap = layer->kernel_height == 1 && layer->kernel_width == 1;
    if (is_one_tap || (layer->dilation_width == 1 && row_values >= WIDE)) {
        convolve_rows(layer, input, (int32_t *)scratch, output);
    } else {
        convolve_columns(layer, input, (int32_t *)scratch, output);
    }
}

#endif
