/* DEPTHWISE_CONV_2D for Helium.
 *
 * A kernel of up to 4 x 4 taps is one vector: VMLADAV sums its 16 products in one instruction, if the taps of one
 * channel lie together. VST4 brings them together: it interleaves four input rows of 16 channels into words of
 * [channel][4 rows], column after column (`strip`); a gather of four of those words is a tile of 4 x 4 inputs. So
 *
 *   3 x 3, stride 1: the tile holds the taps of 2 x 2 outputs. One gather, four VMLADAV by the kernel and by the kernel
 *                    moved one column, then by both one row down: 18 instructions for 4 outputs, requantized;
 *   other strides:   one tile an output: four gathers, four VMLADAV for 4 outputs side by side;
 *   other kernels, depth multipliers: four channels in the lanes, tap after tap.
 */
#include "arithmetic.h"
#if defined(EK_PATH_MVE)
#include "edgekit.h"
#include "mve.h"

enum { GROUP = 16, COLUMN = 4 * GROUP, KERNEL_COLUMNS = 5, TILE_COLUMNS = 16 };

/* How one channel is requantized. In one place, for 16 channels, it costs two loads. */
typedef struct {
    int32_t bias, multiplier, shift, unused;
} channel_scale;

typedef struct {
    const ek_depthwise_conv_2d_layer *layer;
    channel_scale *scales; /* [GROUP] */
    int8_t *kernel;        /* [KERNEL_COLUMNS][GROUP][4 rows]; the first column is 0 */
    int8_t *strip;         /* [columns][GROUP][4 rows] */
    int32_t depth;         /* channels of input and output */
} workspace;

/* From four rows of 16 channels to [16][4]. */
EK_INLINE void interleave(int8x16_t row0, int8x16_t row1, int8x16_t row2, int8x16_t row3, int8_t *words) {
    const int8x16x4_t rows = {{row0, row1, row2, row3}};
    vst4q_s8(words, rows);
}

static void interleave_scales(const ek_requantization *from, int32_t channel, int32_t channels, channel_scale *to) {
    for (; channels > 0; channels -= 4, channel += 4, to += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)channels);
        const int32x4_t shift = vldrbq_z_s32(from->shift + channel, lanes);
        const int32x4x4_t columns = {{vldrwq_z_s32(from->bias + channel, lanes),
                                      vldrwq_z_s32(from->multiplier + channel, lanes), shift, shift}};
        vst4q_s32(&to->bias, columns);
    }
}

/* The kernel of `lanes` channels from `channel` on, with taps of 0 around it to make it 4 x 4 and to move it. */
static void interleave_kernel(const workspace *at, int32_t channel, mve_pred16_t lanes) {
    const ek_depthwise_conv_2d_layer *layer = at->layer;
    const int32_t width = layer->kernel_width, height = layer->kernel_height;
    const int8x16_t zero = vdupq_n_s8(0);
    const int8_t *weights = (const int8_t *)layer->weights + channel;
    interleave(zero, zero, zero, zero, at->kernel);
    for (int32_t x = 0; x < KERNEL_COLUMNS - 1; x++) {
        int8x16_t rows[4];
        for (int32_t y = 0; y < 4; y++) {
            const int is_tap = x < width && y < height;
            rows[y] = is_tap ? vldrbq_z_s8(weights + (y * width + x) * at->depth, lanes) : zero;
        }
        interleave(rows[0], rows[1], rows[2], rows[3], at->kernel + (x + 1) * COLUMN);
    }
}

/* A row of the input, or the padding row, which has no next pixel. */
typedef struct {
    const int8_t *pixel;
    int32_t step;
} source;

/* `columns` columns of four rows, 14 instructions each. */
EK_OUTLINE int8_t *interleave_columns(const source rows[4], int32_t columns, mve_pred16_t lanes, int8_t *strip) {
    const int8_t *row0 = rows[0].pixel, *row1 = rows[1].pixel, *row2 = rows[2].pixel, *row3 = rows[3].pixel;
    if (columns > 0) {
        __asm__ volatile("dls lr, %[columns]\n"
                         "1:\n\t"
                         "vpstttt\n\t"
                         "vldrbt.8 q0, [%[row0]]\n\t"
                         "vldrbt.8 q1, [%[row1]]\n\t"
                         "vldrbt.8 q2, [%[row2]]\n\t"
                         "vldrbt.8 q3, [%[row3]]\n\t"
                         "add %[row0], %[row0], %[step0]\n\t"
                         "add %[row1], %[row1], %[step1]\n\t"
                         "vst40.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                         "vst41.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                         "add %[row2], %[row2], %[step2]\n\t"
                         "vst42.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                         "add %[row3], %[row3], %[step3]\n\t"
                         "vst43.8 {q0, q1, q2, q3}, [%[strip]]!\n\t"
                         "le lr, 1b"
                         : [row0] "+r"(row0), [row1] "+r"(row1), [row2] "+r"(row2), [row3] "+r"(row3),
                           [strip] "+r"(strip)
                         : [columns] "r"(columns), [step0] "r"(rows[0].step), [step1] "r"(rows[1].step),
                           [step2] "r"(rows[2].step), [step3] "r"(rows[3].step), "Up"(lanes)
                         : "q0", "q1", "q2", "q3", "lr", "memory");
    }
    return strip;
}

/* Columns left to left + columns of the input rows top, top + dilation.. (4 of them), 16 channels of each. */
static void interleave_input(const workspace *at, const int8_t *input, int32_t top, int32_t left, int32_t columns,
                             mve_pred16_t lanes) {
    const ek_depthwise_conv_2d_layer *layer = at->layer;
    const int8x16_t padding = vdupq_n_s8((int8_t)layer->input_zero_point);
    const int32_t width = layer->input_width, height = layer->input_height, depth = at->depth;
    int32_t before = left < 0 ? -left : 0, beyond = left + columns > width ? left + columns - width : 0;
    before = before < columns ? before : columns;
    beyond = beyond < columns ? beyond : columns;
    int8_t padding_row[GROUP];
    vstrbq_s8(padding_row, padding);
    source rows[4];
    const int8_t *pixel = input + (top * width + left + before) * depth;
    const int32_t row_step = layer->dilation_height * width * depth;
#pragma GCC unroll 4
    for (int32_t i = 0, y = top; i < 4; i++, y += layer->dilation_height, pixel += row_step) {
        const int inside = y >= 0 && y < height;
        rows[i].pixel = inside ? pixel : padding_row;
        rows[i].step = inside ? depth : 0;
    }
    ek_mve_fill(at->strip, padding, before * COLUMN);
    int8_t *strip = interleave_columns(rows, columns - before - beyond, lanes, at->strip + before * COLUMN);
    ek_mve_fill(strip, padding, beyond * COLUMN);
}

/* What the outputs of a strip have in common. */
typedef struct {
    int32x4_t low, high;
    uint32x4_t places; /* of the four outputs in the lanes */
    int32_t zero_point;
} finish;

EK_INLINE int32x4_t requantize(const finish *how, int32x4_t sums, int32_t bias, int32_t multiplier, int32_t shift,
                               int divides) {
    sums = ek_mve_scale(vaddq_n_s32(sums, bias), multiplier, shift, divides);
    return ek_mve_clamp(sums, how->zero_point, how->low, how->high);
}

/* The sums of a tile's 2 x 2 outputs: the first row's in the lanes 0 and 2, the second's in 1 and 3. The second row's
 * taps are those of the first, one byte on in every word: `down` is -8, or 0 where there is no second row (its lanes
 * repeat the first then, in the same places). Packed row by row, so that two registers serve all four sums. */
EK_INLINE int32x4_t square_sums(uint32x4_t tile, int8x16_t kernel, int8x16_t right, int32_t down) {
    int32_t left_sum = vmladavq_s8(kernel, vreinterpretq_s8_u32(tile));
    int32_t right_sum = vmladavq_s8(right, vreinterpretq_s8_u32(tile));
    const int32x4_t sums = ek_mve_pack_0_2(left_sum, right_sum);
    tile = vshlq_r_u32(tile, down);
    left_sum = vmladavq_s8(kernel, vreinterpretq_s8_u32(tile));
    right_sum = vmladavq_s8(right, vreinterpretq_s8_u32(tile));
    return ek_mve_pack_1_3(sums, left_sum, right_sum);
}

/* One channel of a strip, 2 x 2 outputs a tile. */
EK_INLINE void square_tiles(const finish *how, const int8_t *words, int8x16_t kernel, int8x16_t right, int32_t down,
                            int32_t bias, int32_t multiplier, int32_t shift, int divides, int32_t columns,
                            int32_t step, int8_t *output) {
    uint32x4_t addresses = ek_mve_ramp((uint32_t)words - 2 * COLUMN, COLUMN);
    uint32x4_t tile;
#pragma GCC unroll 1
    for (int32_t pairs = columns >> 1; pairs > 0; pairs--, output += step) {
        EK_MVE_GATHER_NEXT(tile, addresses, 2 * COLUMN);
        const int32x4_t sums = square_sums(tile, kernel, right, down);
        vstrbq_scatter_offset_s32(output, how->places, requantize(how, sums, bias, multiplier, shift, divides));
    }
    if (columns & 1) {
        const mve_pred16_t left_lanes = 0x00FF;
        EK_MVE_GATHER_NEXT(tile, addresses, 2 * COLUMN);
        const int32_t upper = vmladavq_s8(kernel, vreinterpretq_s8_u32(tile));
        tile = vshlq_r_u32(tile, down);
        const int32_t lower = vmladavq_s8(kernel, vreinterpretq_s8_u32(tile));
        const int32x4_t sums = ek_mve_pack_1_3(ek_mve_pack_0_2(upper, upper), lower, lower);
        vstrbq_scatter_offset_p_s32(output, how->places, requantize(how, sums, bias, multiplier, shift, divides),
                                    left_lanes);
    }
}

/* One channel of a strip, 4 x 1 outputs from four tiles. */
EK_INLINE void line_tiles(const finish *how, const int8_t *words, uint32x4_t tile_words, int32_t stride,
                          int8x16_t kernel, int32_t bias, int32_t multiplier, int32_t shift, int divides,
                          int32_t columns, int32_t step, int8_t *output) {
#pragma GCC unroll 1
    for (; columns > 0; columns -= 4, output += step) {
        int32_t sums[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++, words += stride) {
            const int32x4_t tile = vldrwq_gather_offset_s32((const int32_t *)words, tile_words);
            sums[i] = vmladavq_s8(kernel, vreinterpretq_s8_s32(tile));
        }
        const int32x4_t packed = ek_mve_pack(sums[0], sums[1], sums[2], sums[3]);
        vstrbq_scatter_offset_p_s32(output, how->places, requantize(how, packed, bias, multiplier, shift, divides),
                                    vctp32q((uint32_t)columns));
    }
}

/* All channels of a group, two output rows (or one: the last). */
EK_OUTLINE void square_strip(const workspace *at, int32_t channels, int32_t rows, int32_t columns, int8_t *output) {
    const ek_depthwise_conv_2d_layer *layer = at->layer;
    const ek_requantization *to = &layer->requantization;
    const uint32_t column = (uint32_t)at->depth, row = rows > 1 ? (uint32_t)layer->output_width * column : 0;
    const int32_t down = rows > 1 ? -8 : 0, step = 2 * at->depth;
    finish how = {vdupq_n_s32(to->low), vdupq_n_s32(to->high), vdupq_n_u32(0), to->zero_point};
    how.places = vsetq_lane_u32(row, vsetq_lane_u32(column, vsetq_lane_u32(row + column, how.places, 3), 2), 1);
    const channel_scale *scale = at->scales;
    const int8_t *taps = at->kernel, *words = at->strip;
    for (; channels > 0; channels--, scale++, taps += 4, words += 4, output++) {
        const int32_t bias = scale->bias, multiplier = scale->multiplier, shift = scale->shift;
        const uint32x4_t by_column = ek_mve_ramp((uint32_t)taps, COLUMN);
        const int8x16_t kernel = vreinterpretq_s8_s32(vldrwq_gather_base_s32(by_column, COLUMN));
        const int8x16_t right = vreinterpretq_s8_s32(vldrwq_gather_base_s32(by_column, 0));
        if (!EK_TAKES(EK_WAY_LEFT) || shift < 0) {
            square_tiles(&how, words, kernel, right, down, bias, multiplier, shift, 1, columns, step, output);
        } else {
            square_tiles(&how, words, kernel, right, down, bias, multiplier, shift, 0, columns, step, output);
        }
    }
}

/* All channels of a group, one output row. */
EK_OUTLINE void line_strip(const workspace *at, int32_t channels, int32_t columns, int8_t *output) {
    const ek_depthwise_conv_2d_layer *layer = at->layer;
    const ek_requantization *to = &layer->requantization;
    const finish how = {vdupq_n_s32(to->low), vdupq_n_s32(to->high), ek_mve_ramp(0, (uint32_t)at->depth),
                        to->zero_point};
    const uint32x4_t tile_words = ek_mve_ramp(0, (uint32_t)(COLUMN * layer->dilation_width));
    const int32_t stride = COLUMN * layer->stride_width, step = 4 * at->depth;
    const channel_scale *scale = at->scales;
    const int8_t *taps = at->kernel + COLUMN, *words = at->strip;
    for (; channels > 0; channels--, scale++, taps += 4, words += 4, output++) {
        const int32_t bias = scale->bias, multiplier = scale->multiplier, shift = scale->shift;
        const int32x4_t gathered = vldrwq_gather_base_s32(ek_mve_ramp((uint32_t)taps, COLUMN), 0);
        const int8x16_t kernel = vreinterpretq_s8_s32(gathered);
        if (!EK_TAKES(EK_WAY_LEFT) || shift < 0) {
            line_tiles(&how, words, tile_words, stride, kernel, bias, multiplier, shift, 1, columns, step, output);
        } else {
            line_tiles(&how, words, tile_words, stride, kernel, bias, multiplier, shift, 0, columns, step, output);
        }
    }
}

static void convolve_tiles(const ek_depthwise_conv_2d_layer *layer, const int8_t *input, int8_t *scratch,
                           int square, int8_t *output) {
    const int32_t depth = layer->input_channels, height = layer->output_height, width = layer->output_width;
    channel_scale scales[GROUP]; /* 256 bytes, here rather than in the arena, whose peak this is in small networks */
    const workspace at = {layer, scales, scratch, scratch + KERNEL_COLUMNS * COLUMN, depth};
    for (int32_t first = 0; first < depth; first += GROUP) {
        const int32_t group = depth - first < GROUP ? depth - first : GROUP;
        const mve_pred16_t lanes = vctp8q((uint32_t)group);
        interleave_scales(&layer->requantization, first, group, at.scales);
        interleave_kernel(&at, first, lanes);
        for (int32_t y = 0; y < height; y += square ? 2 : 1) {
            const int32_t top = y * layer->stride_height - layer->pad_top;
            for (int32_t x = 0; x < width; x += TILE_COLUMNS) {
                const int32_t columns = width - x < TILE_COLUMNS ? width - x : TILE_COLUMNS;
                const int32_t left = x * layer->stride_width - layer->pad_left;
                const int32_t taken = (columns - 1) * layer->stride_width +
                                      (layer->kernel_width - 1) * layer->dilation_width + 1;
                int8_t *place = output + (y * width + x) * depth + first;
                interleave_input(&at, input + first, top, left, taken, lanes);
                if (EK_TAKES(EK_WAY_SQUARE) && square) {
                    square_strip(&at, group, height - y, columns, place);
                } else if (EK_TAKES(EK_WAY_LINE)) {
                    line_strip(&at, group, columns, place);
                }
            }
        }
    }
}

/* Any kernel, any multiplier: four channels in the lanes. */
static void convolve_taps(const ek_depthwise_conv_2d_layer *layer, const int8_t *input, int8_t *output) {
    const int32_t multiplier = layer->depth_multiplier, depth = layer->input_channels * multiplier;
    const ek_requantization *to = &layer->requantization;
    const int32x4_t low = vdupq_n_s32(to->low), high = vdupq_n_s32(to->high);
    for (int32_t channel = 0; channel < depth; channel += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)(depth - channel));
        const int32x4_t bias = vldrwq_z_s32(to->bias + channel, lanes);
        const int32x4_t scale = vldrwq_z_s32(to->multiplier + channel, lanes);
        const int32x4_t shift = vldrbq_z_s32(to->shift + channel, lanes);
        /* Which input channel each lane reads. */
        uint32x4_t from = vdupq_n_u32((uint32_t)(channel / multiplier));
        from = vsetq_lane_u32((uint32_t)((channel + 1) / multiplier), from, 1);
        from = vsetq_lane_u32((uint32_t)((channel + 2) / multiplier), from, 2);
        from = vsetq_lane_u32((uint32_t)((channel + 3) / multiplier), from, 3);
        int8_t *place = output + channel;
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++, place += depth) {
                const int8_t *weights = (const int8_t *)layer->weights + channel;
                int32x4_t sums = bias;
                for (int32_t i = 0; i < layer->kernel_height; i++) {
                    const int32_t row = y * layer->stride_height - layer->pad_top + i * layer->dilation_height;
                    for (int32_t j = 0; j < layer->kernel_width; j++, weights += depth) {
                        const int32_t column = x * layer->stride_width - layer->pad_left + j * layer->dilation_width;
                        const int8_t *pixel = input + (row * layer->input_width + column) * layer->input_channels;
                        int32x4_t values = vdupq_n_s32(layer->input_zero_point);
                        if (row >= 0 && row < layer->input_height && column >= 0 && column < layer->input_width) {
                            values = vldrbq_gather_offset_z_s32(pixel, from, lanes);
                        }
                        sums = vaddq_s32(sums, vmulq_s32(values, vldrbq_z_s32(weights, lanes)));
                    }
                }
                sums = ek_mve_scale_lanes(sums, scale, shift);
                vstrbq_p_s32(place, ek_mve_clamp(sums, to->zero_point, low, high), lanes);
            }
        }
    }
}

void ek_depthwise_conv_2d(const ek_depthwise_conv_2d_layer *layer, const int8_t *input, void *scratch, int8_t *output) {
    const int is_small = layer->depth_multiplier == 1 && layer->kernel_height <= 4 && layer->kernel_width <= 4;
    const int is_dense = layer->stride_height == 1 && layer->stride_width == 1 && layer->dilation_height == 1 &&
                         layer->dilation_width == 1 && layer->kernel_height <= 3 && layer->kernel_width <= 3;
    if (EK_TAKES(EK_WAY_SQUARE) && is_small && is_dense) {
        convolve_tiles(layer, input, (int8_t *)scratch, 1, output);
    } else if (EK_TAKES(EK_WAY_LINE) && is_small) {
        convolve_tiles(layer, input, (int8_t *)scratch, 0, output);
    } else if (EK_TAKES(EK_WAY_TAPS)) {
        convolve_taps(layer, input, output);
    }
}

#endif
