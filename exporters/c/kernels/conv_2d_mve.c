/* CONV_2D for Helium: cuts the output into blocks and finds each block's pixels; mve_convolution.h computes it.
 *
 * Where the pixels are read from:
 *   rows:    a kernel row's taps lie side by side in the input, or in a copy of the rows with their padding;
 *   columns: each pixel's taps are first gathered. For kernel rows too short to fill vectors, and dilated ones.
 */
#include "arithmetic.h"
#if defined(EK_PATH_MVE)
#include "edgekit.h"
#include "mve.h"
#include "mve_convolution.h"

/* Working memory; _c_layout_mve.py counts the same. A block has more pixels where a pixel has many taps. */
enum { FEW_PIXELS = 48, MANY_PIXELS = 80, MANY_TAPS = 64, COPY_BYTES = 4096 };

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
    const int32_t column_bytes = (taps + 15) & ~15, fit = COPY_BYTES / column_bytes & ~1;
    const int32_t most = fit < 2 ? 2 : fit < MANY_PIXELS ? fit : MANY_PIXELS;
    const int32_t width = layer->output_width, height = layer->output_height;
    const int32_t share = width <= most ? width : share_of_line(width, most);
    const int32_t fewest = width <= most ? (height + most / width - 1) / (most / width) : height; /* blocks */
    const int32_t most_lines = (height + fewest - 1) / fewest;
    block at = {.layer = layer, .sums = sums, .copies = (int8_t *)(sums + CHANNELS * most), .lines = 1,
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
