/* Functions of one int16 value, and to and from the other types: QUANTIZE, DEQUANTIZE, RELU, RELU6. */
#include "arithmetic.h"
#include "edgekit.h"

EK_INLINE int32_t rescaled(const ek_rescale_layer *l, int32_t value) {
    const int32_t scaled = ek_scale(value - l->input_zero_point, l->multiplier, (int)l->shift) + l->zero_point;
    return ek_clamp(scaled, l->low, l->high);
}

void ek_rescale_s16(const ek_rescale_layer *layer, const int16_t *input, int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) output[i] = (int16_t)rescaled(layer, input[i]);
}

void ek_rescale_s8_to_s16(const ek_rescale_layer *layer, const int8_t *input, int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) output[i] = (int16_t)rescaled(layer, input[i]);
}

void ek_rescale_s16_to_s8(const ek_rescale_layer *layer, const int16_t *input, int8_t *output) {
    for (int32_t i = 0; i < layer->count; i++) output[i] = (int8_t)rescaled(layer, input[i]);
}

/* x rounded to nearest, ties away from zero, without libm; x is within the range of int32. */
static int32_t rounded(float x) {
    const int32_t whole = (int32_t)x;
    const float rest = x - (float)whole;
    return whole + (rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0);
}

void ek_quantize_s16(const ek_quantization_layer *layer, const float *input, int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        const float scaled = input[i] / layer->scale;
        /* First clamped as a float: a cast of what int32 cannot hold is undefined. NaN becomes the lowest value. */
        const float held = scaled > -65536.0f ? (scaled < 65536.0f ? scaled : 65536.0f) : -65536.0f;
        output[i] = (int16_t)ek_clamp(rounded(held), INT16_MIN, INT16_MAX);
    }
}

void ek_dequantize_s16(const ek_quantization_layer *layer, const int16_t *input, float *output) {
    for (int32_t i = 0; i < layer->count; i++) output[i] = layer->scale * (float)input[i];
}

void ek_fill_s16(int16_t value, int32_t count, int16_t *output) {
    while (count-- > 0) *output++ = value;
}
