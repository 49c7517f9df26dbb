/* AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over height and width. */
#include "arithmetic.h"
#include "edgekit.h"
#if defined(EK_PATH_MVE)
#include "mve.h"
#endif

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

/* sum / count, rounded to nearest, ties away from zero. */
static int32_t rounded_mean(int32_t sum, int32_t count) {
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

/* Channels that are summed at a time. */
enum { GROUP = 16 };

/* The sums over a window of `channels` (at most GROUP) channels from `corner` on. */
static void sum_window(const ek_pool_layer *l, const window *w, const int8_t *corner, int channels, int32_t *sums) {
    const int step = l->channels, row = l->input_width * step;
#if defined(EK_PATH_MVE)
    ek_mve_sum_channels(corner, channels, w->bottom - w->top, w->right - w->left, row, step, sums);
#else
    for (int c = 0; c < channels; c++) {
        sums[c] = 0;
        for (int i = w->top; i < w->bottom; i++) {
            const int8_t *tap = corner + (i - w->top) * row + c;
            for (int j = w->left; j < w->right; j++, tap += step) sums[c] += *tap;
        }
    }
#endif
}

void ek_average_pool_2d(const ek_pool_layer *layer, const int8_t *input, int8_t *output) {
    const int channels = layer->channels;
    for (int y = 0; y < layer->output_height; y++) {
        for (int x = 0; x < layer->output_width; x++) {
            const window w = inside(layer, y, x);
            const int32_t count = (w.bottom - w.top) * (w.right - w.left);
            const int8_t *corner = input + (w.top * layer->input_width + w.left) * channels;
            for (int first = 0; first < channels; first += GROUP, corner += GROUP) {
                const int some = channels - first < GROUP ? channels - first : GROUP;
                int32_t sums[GROUP];
                sum_window(layer, &w, corner, some, sums);
                for (int c = 0; c < some; c++)
                    *output++ = (int8_t)ek_clamp(rounded_mean(sums[c], count), layer->low, layer->high);
            }
        }
    }
}

void ek_max_pool_2d(const ek_pool_layer *layer, const int8_t *input, int8_t *output) {
    const int channels = layer->channels, width = layer->input_width;
    for (int y = 0; y < layer->output_height; y++) {
        for (int x = 0; x < layer->output_width; x++) {
            const window w = inside(layer, y, x);
            for (int c = 0; c < channels; c++) {
                int32_t most = INT8_MIN;
                for (int i = w.top; i < w.bottom; i++) {
                    const int8_t *tap = input + (i * width + w.left) * channels + c;
                    for (int j = w.left; j < w.right; j++, tap += channels)
                        if (*tap > most) most = *tap;
                }
                *output++ = (int8_t)ek_clamp(most, layer->low, layer->high);
            }
        }
    }
}

void ek_mean(const ek_mean_layer *layer, const int8_t *input, int8_t *output) {
    for (int32_t c = 0; c < layer->channels; c++) {
        int32_t sum = 0;
        const int8_t *value = input + c;
        for (int32_t i = 0; i < layer->positions; i++, value += layer->channels) sum += *value - layer->input_zero_point;
        const int32_t mean = ek_scale(sum, layer->multiplier, (int)layer->shift);
        output[c] = (int8_t)ek_clamp(mean + layer->output_zero_point, INT8_MIN, INT8_MAX);
    }
}
