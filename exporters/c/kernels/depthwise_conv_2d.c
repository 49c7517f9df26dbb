/* DEPTHWISE_CONV_2D in portable C: four channels at a time, so that a tap's place is worked out once for four. */
#include "arithmetic.h"

#if defined(EK_PATH_PORTABLE)
#include "portable.h"

/* Where the kernel starts in the input, and the input's values of one tap, or the zero points that stand outside. */
typedef struct {
    const ek_depthwise_conv_2d_layer *layer;
    const int8_t *input, *padding;
    int row, column;
} window;

EK_INLINE const int8_t *tap(const window *w, int i, int j) {
    const ek_depthwise_conv_2d_layer *const l = w->layer;
    const int row = w->row + i * l->dilation_height, column = w->column + j * l->dilation_width;
    const int inside = row >= 0 && row < l->input_height && column >= 0 && column < l->input_width;
    return inside ? w->input + (row * l->input_width + column) * l->input_channels : w->padding;
}

/* Channels `c` to `c + 3`. */
static void four_channels(const window *w, int c, int8_t *output) {
    const ek_depthwise_conv_2d_layer *const l = w->layer;
    const ek_requantization *const q = &l->requantization;
    const int8_t *weights = (const int8_t *)l->weights + c;
    int32_t s0 = q->bias[c], s1 = q->bias[c + 1], s2 = q->bias[c + 2], s3 = q->bias[c + 3];
    for (int i = 0; i < l->kernel_height; i++) {
        for (int j = 0; j < l->kernel_width; j++, weights += l->input_channels) {
            const int8_t *const x = tap(w, i, j) + c;
            s0 += x[0] * weights[0];
            s1 += x[1] * weights[1];
            s2 += x[2] * weights[2];
            s3 += x[3] * weights[3];
        }
    }
    output[c] = ek_output(q, c, s0);
    output[c + 1] = ek_output(q, c + 1, s1);
    output[c + 2] = ek_output(q, c + 2, s2);
    output[c + 3] = ek_output(q, c + 3, s3);
}

static void one_channel(const window *w, int c, int8_t *output) {
    const ek_depthwise_conv_2d_layer *const l = w->layer;
    const int from = c / l->depth_multiplier, channels = l->input_channels * l->depth_multiplier;
    const int8_t *weights = (const int8_t *)l->weights + c;
    int32_t sum = l->requantization.bias[c];
    for (int i = 0; i < l->kernel_height; i++)
        for (int j = 0; j < l->kernel_width; j++, weights += channels) sum += tap(w, i, j)[from] * *weights;
    output[c] = ek_output(&l->requantization, c, sum);
}

void ek_depthwise_conv_2d(const ek_depthwise_conv_2d_layer *layer, const int8_t *input, void *scratch, int8_t *output) {
    const int channels = layer->input_channels * layer->depth_multiplier;
    window w = {layer, input, scratch, 0, 0};
    memset(scratch, layer->input_zero_point, (size_t)layer->input_channels);
    for (int y = 0; y < layer->output_height; y++) {
        for (int x = 0; x < layer->output_width; x++, output += channels) {
            w.row = y * layer->stride_height - layer->pad_top;
            w.column = x * layer->stride_width - layer->pad_left;
            int c = 0;
            if (layer->depth_multiplier == 1)
                for (; c + 4 <= channels; c += 4) four_channels(&w, c, output);
            for (; c < channels; c++) one_channel(&w, c, output);
        }
    }
}

#else
typedef int ek_depthwise_conv_2d_is_elsewhere;
#endif
