/* DEPTHWISE_CONV_2D on int16 values: every output channel over the taps that lie inside of the input. */
#include "portable_s16.h"

/* The taps of one axis that lie inside of the input, for the output that starts at `origin`: first, and one past the
 * last. */
typedef struct {
    int first, end;
} taps;

static taps inside(int origin, int dilation, int kernel, int size) {
    taps t = {0, kernel};
    while (t.first < kernel && origin + t.first * dilation < 0) t.first++;
    while (t.end > t.first && origin + (t.end - 1) * dilation >= size) t.end--;
    return t;
}

/* Sum of products of output channel `c` at (row, column) of the input. */
static int64_t channel_sum(
    const ek_depthwise_conv_2d_layer *l, const int16_t *input, int row, int column, taps height, taps width, int c
) {
    const int channels = l->input_channels, outputs = channels * l->depth_multiplier;
    int64_t sum = 0;
    for (int i = height.first; i < height.end; i++) {
        const int start = (row + i * l->dilation_height) * l->input_width + column + width.first * l->dilation_width;
        const int16_t *value = input + start * channels + c / l->depth_multiplier;
        const int8_t *weight = (const int8_t *)l->weights + (i * l->kernel_width + width.first) * outputs + c;
        for (int left = width.end - width.first; left > 0; left -= EK_PRODUCTS_IN_32_BITS) {
            int32_t part = 0;
            for (int j = left < EK_PRODUCTS_IN_32_BITS ? left : EK_PRODUCTS_IN_32_BITS; j > 0; j--) {
                part += *value * *weight;
                value += l->dilation_width * channels;
                weight += outputs;
            }
            sum += part;
        }
    }
    return sum;
}

void ek_depthwise_conv_2d_s16(
    const ek_depthwise_conv_2d_layer *layer, const int64_t *bias, const int16_t *input, int16_t *output
) {
    const int channels = layer->input_channels * layer->depth_multiplier;
    for (int y = 0; y < layer->output_height; y++) {
        const int row = y * layer->stride_height - layer->pad_top;
        const taps height = inside(row, layer->dilation_height, layer->kernel_height, layer->input_height);
        for (int x = 0; x < layer->output_width; x++) {
            const int column = x * layer->stride_width - layer->pad_left;
            const taps width = inside(column, layer->dilation_width, layer->kernel_width, layer->input_width);
            for (int c = 0; c < channels; c++) {
                const int64_t sum = channel_sum(layer, input, row, column, height, width, c);
                *output++ = ek_output_s16(&layer->requantization, bias, c, sum);
            }
        }
    }
}
