/* AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over height and width on int16 values. */
#include "arithmetic.h"
#include "edgekit.h"

/* A window's part that lies inside of the input, in rows and columns. */
typedef struct {
    int top, bottom, left, right;
} window;

static window inside(const ek_pool_layer *l, int y, int x) {
    const int row = y * l->stride_height - l->pad_top, column = x * l->stride_width - l->pad_left;
    window w = {row, row + l->kernel_height, column, column + l->kernel_width};
    if (w.top < 0) w.top = 0;
    if (w.left < 0) w.left = 0;
    if (w.bottom > l->input_height) w.bottom = l->input_height;
    if (w.right > l->input_width) w.right = l->input_width;
    return w;
}

/* What a pool makes of one channel's values in a window; `input` points to the channel in the first pixel. */
typedef int32_t (*reduction)(const ek_pool_layer *l, const int16_t *input, const window *w);

EK_INLINE int32_t average(const ek_pool_layer *l, const int16_t *input, const window *w) {
    const int32_t count = (w->bottom - w->top) * (w->right - w->left);
    int32_t sum = 0;
    for (int i = w->top; i < w->bottom; i++)
        for (int j = w->left; j < w->right; j++) sum += input[(i * l->input_width + j) * l->channels];
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count; /* ties away from zero */
}

EK_INLINE int32_t largest(const ek_pool_layer *l, const int16_t *input, const window *w) {
    int32_t most = INT16_MIN;
    for (int i = w->top; i < w->bottom; i++)
        for (int j = w->left; j < w->right; j++) {
            const int32_t value = input[(i * l->input_width + j) * l->channels];
            if (value > most) most = value;
        }
    return most;
}

/* Inlined with a constant `reduce`. */
EK_INLINE void over_windows(const ek_pool_layer *l, const int16_t *input, int16_t *output, reduction reduce) {
    for (int y = 0; y < l->output_height; y++)
        for (int x = 0; x < l->output_width; x++) {
            const window w = inside(l, y, x);
            for (int c = 0; c < l->channels; c++)
                *output++ = (int16_t)ek_clamp(reduce(l, input + c, &w), l->low, l->high);
        }
}

void ek_average_pool_2d_s16(const ek_pool_layer *layer, const int16_t *input, int16_t *output) {
    over_windows(layer, input, output, average);
}

void ek_max_pool_2d_s16(const ek_pool_layer *layer, const int16_t *input, int16_t *output) {
    over_windows(layer, input, output, largest);
}

void ek_mean_s16(const ek_mean_layer *layer, const int16_t *input, int16_t *output) {
    for (int32_t c = 0; c < layer->channels; c++) {
        int32_t sum = 0;
        const int16_t *value = input + c;
        for (int32_t i = 0; i < layer->positions; i++, value += layer->channels) sum += *value;
        const int32_t mean = ek_scale(sum, layer->multiplier, (int)layer->shift);
        output[c] = (int16_t)ek_clamp(mean, INT16_MIN, INT16_MAX);
    }
}
