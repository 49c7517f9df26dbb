/* DEPTHWISE_CONV_2D on int16 values, over the taps that lie inside of the input: four channels at a time where a
 * channel has one output. */
#include "portable_s16.h"

/* The taps of one axis that lie inside of the input: the first, and one past the last. */
typedef struct {
    int first, end;
} taps;

/* One place of the kernel: where it starts in the input, and what of it is inside. */
typedef struct {
    const ek_depthwise_conv_2d_layer *layer;
    const int64_t *bias;
    const int16_t *input;
    int row, column;
    taps height, width;
} window;

static taps inside(int start, int dilation, int kernel, int size) {
    taps t = {0, kernel};
    while (t.first < kernel && start + t.first * dilation < 0) t.first++;
    while (t.end > t.first && start + (t.end - 1) * dilation >= size) t.end--;
    return t;
}

/* A row of the kernel: how many taps are inside, the first one's input value and weight of channel 0, and the steps to
 * the next one's. */
typedef struct {
    int taps;
    const int16_t *value;
    const int8_t *weight;
    int value_step, weight_step;
} line;

EK_INLINE line line_of(const window *w, int i) {
    const ek_depthwise_conv_2d_layer *const l = w->layer;
    const int outputs = l->input_channels * l->depth_multiplier;
    const int row = w->row + i * l->dilation_height, column = w->column + w->width.first * l->dilation_width;
    const line found = {
        w->width.end - w->width.first,
        w->input + (row * l->input_width + column) * l->input_channels,
        (const int8_t *)l->weights + (i * l->kernel_width + w->width.first) * outputs,
        l->dilation_width * l->input_channels,
        outputs,
    };
    return found;
}

/* Channels `c` to `c + 3`, where each has one output, of a kernel whose sums fit into int32. */
static void four_channels(const window *w, int c, int16_t *output) {
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int i = w->height.first; i < w->height.end; i++) {
        line at = line_of(w, i);
        at.value += c;
        at.weight += c;
        for (int j = at.taps; j > 0; j--, at.value += at.value_step, at.weight += at.weight_step) {
            s0 += at.value[0] * at.weight[0];
            s1 += at.value[1] * at.weight[1];
            s2 += at.value[2] * at.weight[2];
            s3 += at.value[3] * at.weight[3];
        }
    }
    const int64_t sums[] = {s0, s1, s2, s3};
    ek_four_outputs_s16(&w->layer->requantization, w->bias, c, sums, output);
}

static void one_channel(const window *w, int c, int16_t *output) {
    int64_t sum = 0;
    for (int i = w->height.first; i < w->height.end; i++) {
        line at = line_of(w, i);
        at.value += c / w->layer->depth_multiplier;
        at.weight += c;
        for (int j = at.taps; j > 0; j--, at.value += at.value_step, at.weight += at.weight_step)
            sum += *at.value * *at.weight;
    }
    output[c] = ek_output_s16(&w->layer->requantization, w->bias, c, sum);
}

void ek_depthwise_conv_2d_s16(
    const ek_depthwise_conv_2d_layer *layer, const int64_t *bias, const int16_t *input, int16_t *output
) {
    const ek_depthwise_conv_2d_layer *const l = layer;
    const int channels = l->input_channels * l->depth_multiplier;
    const int fours = l->depth_multiplier == 1 && l->kernel_height * l->kernel_width <= EK_PRODUCTS_IN_32_BITS;
    window w = {layer, bias, input, 0, 0, {0, 0}, {0, 0}};
    for (int y = 0; y < l->output_height; y++) {
        w.row = y * l->stride_height - l->pad_top;
        w.height = inside(w.row, l->dilation_height, l->kernel_height, l->input_height);
        for (int x = 0; x < l->output_width; x++, output += channels) {
            w.column = x * l->stride_width - l->pad_left;
            w.width = inside(w.column, l->dilation_width, l->kernel_width, l->input_width);
            int c = 0;
            if (fours)
                for (; c + 4 <= channels; c += 4) four_channels(&w, c, output);
            for (; c < channels; c++) one_channel(&w, c, output);
        }
    }
}
