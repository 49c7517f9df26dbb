/* DEPTHWISE_CONV_2D in portable C. */
#include "arithmetic.h"
#include "edgekit.h"

#if defined(EK_PATH_PORTABLE)

/* One channel's sum at output (y, x); taps outside read as the zero point, which the bias has taken into account. */
static int32_t sum_of_taps(const ek_depthwise_conv_2d_layer *l, const int8_t *input, int y, int x, int channel) {
    const int channels = l->input_channels * l->depth_multiplier;
    const int8_t *w = (const int8_t *)l->weights + channel;
    int32_t sum = 0;
    for (int i = 0; i < l->kernel_height; i++) {
        const int row = y + i * l->dilation_height;
        for (int j = 0; j < l->kernel_width; j++, w += channels) {
            const int column = x + j * l->dilation_width;
            const int outside = row < 0 || row >= l->input_height || column < 0 || column >= l->input_width;
            const int at = (row * l->input_width + column) * l->input_channels + channel / l->depth_multiplier;
            sum += (outside ? l->input_zero_point : input[at]) * *w;
        }
    }
    return sum;
}

void ek_depthwise_conv_2d(const ek_depthwise_conv_2d_layer *layer, const int8_t *input, void *scratch, int8_t *output) {
    const ek_requantization *const q = &layer->requantization;
    const int channels = layer->input_channels * layer->depth_multiplier;
    (void)scratch;
    for (int y = 0; y < layer->output_height; y++) {
        for (int x = 0; x < layer->output_width; x++) {
            const int row = y * layer->stride_height - layer->pad_top;
            const int column = x * layer->stride_width - layer->pad_left;
            for (int c = 0; c < channels; c++) {
                const int32_t sum = sum_of_taps(layer, input, row, column, c) + q->bias[c];
                const int32_t scaled = ek_scale(sum, q->multiplier[c], q->shift[c]) + q->zero_point;
                *output++ = (int8_t)ek_clamp(scaled, q->low, q->high);
            }
        }
    }
}

#else
typedef int ek_depthwise_conv_2d_is_elsewhere;
#endif
