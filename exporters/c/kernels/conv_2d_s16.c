/* CONV_2D on int16 values: gather the patch under the kernel, then one dot product per output channel. */
#include "portable_s16.h"

/* The input under the kernel at output (y, x) as one row; taps outside read as 0. */
static void gather(const ek_conv_2d_layer *l, const int16_t *input, int y, int x, int16_t *patch) {
    const size_t channels = (size_t)l->input_channels, bytes = channels * sizeof *patch;
    for (int i = 0; i < l->kernel_height; i++) {
        const int row = y * l->stride_height - l->pad_top + i * l->dilation_height;
        for (int j = 0; j < l->kernel_width; j++, patch += channels) {
            const int column = x * l->stride_width - l->pad_left + j * l->dilation_width;
            if (row < 0 || row >= l->input_height || column < 0 || column >= l->input_width)
                memset(patch, 0, bytes);
            else
                memcpy(patch, input + (size_t)(row * l->input_width + column) * channels, bytes);
        }
    }
}

void ek_conv_2d_s16(
    const ek_conv_2d_layer *layer, const int64_t *bias, const int16_t *input, void *scratch, int16_t *output
) {
    const int taps = layer->kernel_height * layer->kernel_width;
    const int size = taps * layer->input_channels;
    const int direct = taps == 1 && layer->stride_height == 1 && layer->stride_width == 1;
    for (int y = 0; y < layer->output_height; y++) {
        for (int x = 0; x < layer->output_width; x++, output += layer->output_channels) {
            const int16_t *patch = input + (size_t)(y * layer->output_width + x) * (size_t)size;
            if (!direct) {
                gather(layer, input, y, x, scratch);
                patch = scratch;
            }
            ek_dot_rows_s16(
                &layer->requantization, bias, patch, layer->weights, size, layer->output_channels, output
            );
        }
    }
}
