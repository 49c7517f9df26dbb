/* Operators that compute nothing: values go elsewhere, through a table, or to and from float. */
#include "arithmetic.h"
#include "edgekit.h"

void ek_move(const ek_move_layer *layer, const void *input, void *output) {
    const ek_move_layer *const l = layer;
    for (int32_t i = 0; i < l->count[0]; i++)
        for (int32_t j = 0; j < l->count[1]; j++)
            for (int32_t k = 0; k < l->count[2]; k++) {
                const uint8_t *from = input;
                uint8_t *to = output;
                from += i * l->input_step[0] + j * l->input_step[1] + k * l->input_step[2];
                to += i * l->output_step[0] + j * l->output_step[1] + k * l->output_step[2];
                for (int32_t n = l->count[3]; n > 0; n--, from += l->input_step[3], to += l->output_step[3])
                    memcpy(to, from, (size_t)l->bytes);
            }
}

void ek_lookup(const uint8_t *table, int32_t count, const void *input, void *output) {
    const uint8_t *from = input;
    uint8_t *to = output;
    while (count-- > 0) *to++ = table[*from++];
}

/* x rounded to nearest, ties away from zero, without libm; x is within the range of int32. */
static int32_t rounded(float x) {
    const int32_t whole = (int32_t)x;
    const float rest = x - (float)whole;
    return whole + (rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0);
}

void ek_quantize(const ek_quantization_layer *layer, const float *input, int8_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        const float scaled = input[i] / layer->scale;
        /* First clamped as a float: a cast of what int32 cannot hold is undefined. NaN becomes the lowest value. */
        const float held = scaled > -65536.0f ? (scaled < 65536.0f ? scaled : 65536.0f) : -65536.0f;
        output[i] = (int8_t)ek_clamp(rounded(held) + layer->zero_point, INT8_MIN, INT8_MAX);
    }
}

void ek_dequantize(const ek_quantization_layer *layer, const int8_t *input, float *output) {
    for (int32_t i = 0; i < layer->count; i++) output[i] = layer->scale * (float)(input[i] - layer->zero_point);
}
