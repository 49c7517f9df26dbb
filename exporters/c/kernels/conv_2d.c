/* CONV_2D in portable C: gather the patch under the kernel, then one dot product per output channel. */
#include "arithmetic.h"

#if defined(EK_PATH_PORTABLE)
#include "portable.h"

/* The input under the kernel at output (y, x) as one row; taps outside read as the zero point. */
static void gather(const ek_conv_2d_layer *l, const int8_t *input, int y, int x, int8_t *patch) {
    const size_t channels = (size_t)l->input_channels;
    for (int i = 0; i < l->kernel_height; i++) {
        const int row = y * l->stride_height - l->pad_top + i * l->dilation_height;
        for (int j = 0; j < l->kernel_width; j++, patch += channels) {
            const int column = x * l->stride_width - l->pad_left + j * l->dilation_width;
            if (row < 0 || row >= l->input_height || column < 0 || column >= l->input_width)
                memset(patch, l->input_zero_point, channels);
            else
                memcpy(patch, input + (size_t)(row * l->input_width + column) * channels, channels);
        }
    }
}

void ek_conv_2d(const ek_conv_2d_layer *layer, const int8_t *input, void *scratch, int8_t *output) {
    const int taps = layer->kernel_height * layer->kernel_width;
    const int size = taps * layer->input_channels;
    const int direct = taps == 1 && layer->stride_height == 1 && layer->stride_width == 1;
    for (int y = 0; y < layer->output_height; y++) {
        for (int x = 0; x < layer->output_width; x++, output += layer->output_channels) {
            const int8_t *patch = input + (size_t)(y * layer->output_width + x) * (size_t)size;
            if (!direct) {
                gather(layer, input, y, x, scratch);
                patch = scratch;
            }
            ek_dot_rows(&layer->requantization, patch, layer->weights, size, layer->output_channels, output);
        }
    }
}

#else
typedef int ek_conv_2d_is_elsewhere;
#endif
