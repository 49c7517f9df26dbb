/* edgekit kernels: int8 and int16 network layers in C99. No malloc, no interpreter, no libc but memcpy and memset.
 *
 * One integer semantics for every processor: that of TensorFlow Lite Micro's reference kernels (double rounding). An
 * accumulator is scaled by a saturating rounding doubling high multiply, then by a rounding divide by a power of two,
 * ties away from zero: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
 * Inference" (2018). Three code paths give the same answers: portable C, the DSP extension (Cortex-M4, M7, M33), and
 * Helium (Cortex-M55, M85).
 *
 * Tensors are dense, batch 1, channels last (H, W, C). Layer descriptions and weights are const: they stay in flash.
 */
#ifndef EDGEKIT_H
#define EDGEKIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a tensor holds, for callers that do not know the model. real = scale * (value - zero_point). */
typedef enum { EK_INT8, EK_UINT8, EK_INT16, EK_INT32, EK_FLOAT32 } ek_type;

typedef struct {
    void *data;
    uint32_t bytes;
    ek_type type;
    float scale;
    int32_t zero_point;
    int32_t rank;
    int32_t shape[5];
} ek_tensor;

/* From an int32 accumulator to an output value, per output channel. */
typedef struct {
    const int32_t *bias;       /* bias - input_zero_point * sum of the channel's weights */
    const int32_t *multiplier; /* in [2^30, 2^31), or 0 */
    const int8_t *shift;       /* positive: to the left before the multiply; negative: rounding to the right after it */
    int32_t zero_point;        /* of the output */
    int32_t low, high;         /* the fused activation, as output values; within [-128, 127] */
} ek_requantization;

/* CONV_2D. Padding is what the taps outside of the input read as: its zero point. */
typedef struct {
    int16_t input_height, input_width, input_channels;
    int16_t output_height, output_width, output_channels;
    int16_t kernel_height, kernel_width;
    int16_t stride_height, stride_width;
    int16_t dilation_height, dilation_width;
    int16_t pad_top, pad_left;
    int32_t input_zero_point;
    const void *weights; /* in the layout of the code path; plain: [output_channels][kernel_height][kernel_width][input_channels] int8 */
    ek_requantization requantization;
} ek_conv_2d_layer;

/* DEPTHWISE_CONV_2D: output channel c reads input channel c / depth_multiplier. */
typedef struct {
    int16_t input_height, input_width, input_channels;
    int16_t output_height, output_width, depth_multiplier;
    int16_t kernel_height, kernel_width;
    int16_t stride_height, stride_width;
    int16_t dilation_height, dilation_width;
    int16_t pad_top, pad_left;
    int32_t input_zero_point;
    const void *weights; /* plain: [kernel_height][kernel_width][input_channels * depth_multiplier] int8 */
    ek_requantization requantization;
} ek_depthwise_conv_2d_layer;

/* FULLY_CONNECTED on `rows` rows of `inputs` values each. */
typedef struct {
    int32_t rows, inputs, outputs;
    const void *weights; /* plain: [outputs][inputs] int8 */
    ek_requantization requantization;
} ek_fully_connected_layer;

/* AVERAGE_POOL_2D and MAX_POOL_2D; taps outside of the input do not count. */
typedef struct {
    int16_t input_height, input_width, channels;
    int16_t output_height, output_width;
    int16_t kernel_height, kernel_width;
    int16_t stride_height, stride_width;
    int16_t pad_top, pad_left;
    int32_t low, high;
} ek_pool_layer;

/* MEAN over height and width; the multiplier holds 1 / positions. */
typedef struct {
    int32_t positions, channels;
    int32_t input_zero_point, output_zero_point;
    int32_t multiplier, shift;
} ek_mean_layer;

/* One operand of ADD and SUB: (value + offset) * multiplier * 2^(shift - 31 + 20); of MUL only the offset counts. */
typedef struct {
    int32_t offset, multiplier, shift;
    int32_t step[4]; /* from one value to the next along each axis of the output; 0 where it is broadcast */
} ek_operand;

/* ADD, SUB and MUL over a grid of `count` values. */
typedef struct {
    int32_t count[4];
    ek_operand a, b;
    int32_t zero_point, multiplier, shift, low, high;
} ek_binary_layer;

/* SOFTMAX over each of `rows` rows of `depth` values. */
typedef struct {
    int32_t rows, depth;
    int32_t multiplier, shift, least_difference;
} ek_softmax_layer;

/* A block copy in four nested loops: concatenation, slices, splits, padding, transposition. Steps are in bytes. */
typedef struct {
    int32_t count[4], input_step[4], output_step[4];
    int32_t bytes;
} ek_move_layer;

/* QUANTIZE from float32, and DEQUANTIZE to it. */
typedef struct {
    int32_t count, zero_point;
    float scale;
} ek_quantization_layer;

/* (value - input_zero_point) * multiplier * 2^(shift - 31) + zero_point, within [low, high]. */
typedef struct {
    int32_t count, input_zero_point, zero_point;
    int32_t multiplier, shift, low, high;
} ek_rescale_layer;

/* `scratch` is 16-byte aligned, of as many bytes as the generator reserved for this layer (NULL if 0). */
void ek_conv_2d(const ek_conv_2d_layer *layer, const int8_t *input, void *scratch, int8_t *output);
void ek_depthwise_conv_2d(const ek_depthwise_conv_2d_layer *layer, const int8_t *input, void *scratch, int8_t *output);
void ek_fully_connected(const ek_fully_connected_layer *layer, const int8_t *input, void *scratch, int8_t *output);

void ek_average_pool_2d(const ek_pool_layer *layer, const int8_t *input, int8_t *output);
void ek_max_pool_2d(const ek_pool_layer *layer, const int8_t *input, int8_t *output);
void ek_mean(const ek_mean_layer *layer, const int8_t *input, int8_t *output);
void ek_add(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output);
void ek_sub(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output);
void ek_mul(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output);
void ek_softmax(const ek_softmax_layer *layer, const int8_t *input, int8_t *output);
void ek_move(const ek_move_layer *layer, const void *input, void *output);
void ek_quantize(const ek_quantization_layer *layer, const float *input, int8_t *output);
void ek_dequantize(const ek_quantization_layer *layer, const int8_t *input, float *output);

/* int16 activations with int8 weights, in portable C for every processor. The descriptions are those of int8; every
 * zero point is 0, weights are in the plain layout. A product's sums are int64 where `bias` is given, with the 16-bit
 * multipliers (in [2^14, 2^15)) that the specification reduces them to; where it is NULL, the bias is that of the
 * requantization and sums are int32, as for int8. */
void ek_conv_2d_s16(
    const ek_conv_2d_layer *layer, const int64_t *bias, const int16_t *input, void *scratch, int16_t *output
);
void ek_depthwise_conv_2d_s16(
    const ek_depthwise_conv_2d_layer *layer, const int64_t *bias, const int16_t *input, int16_t *output
);
void ek_fully_connected_s16(
    const ek_fully_connected_layer *layer, const int64_t *bias, const int16_t *input, int16_t *output
);

void ek_average_pool_2d_s16(const ek_pool_layer *layer, const int16_t *input, int16_t *output);
void ek_max_pool_2d_s16(const ek_pool_layer *layer, const int16_t *input, int16_t *output);
void ek_mean_s16(const ek_mean_layer *layer, const int16_t *input, int16_t *output);
void ek_add_s16(const ek_binary_layer *layer, const int16_t *a, const int16_t *b, int16_t *output);
void ek_sub_s16(const ek_binary_layer *layer, const int16_t *a, const int16_t *b, int16_t *output);
void ek_mul_s16(const ek_binary_layer *layer, const int16_t *a, const int16_t *b, int16_t *output);
void ek_quantize_s16(const ek_quantization_layer *layer, const float *input, int16_t *output);
void ek_dequantize_s16(const ek_quantization_layer *layer, const int16_t *input, float *output);

/* SOFTMAX through two tables of 513 values: exp(x) over [-10, 0], and 1 / (1 + x) over [0, 1]. */
void ek_softmax_s16(
    const ek_softmax_layer *layer, const int16_t *exponential, const int16_t *reciprocal, const int16_t *input,
    int16_t *output
);

/* LOGISTIC and TANH: value * multiplier / 2^shift is the argument in steps of 1 / 12288. */
void ek_logistic_s16(int32_t multiplier, int32_t shift, int32_t count, const int16_t *input, int16_t *output);
void ek_tanh_s16(int32_t multiplier, int32_t shift, int32_t count, const int16_t *input, int16_t *output);

/* To another scale, and between int8 and int16: QUANTIZE, RELU, RELU6. */
void ek_rescale_s16(const ek_rescale_layer *layer, const int16_t *input, int16_t *output);
void ek_rescale_s8_to_s16(const ek_rescale_layer *layer, const int8_t *input, int16_t *output);
void ek_rescale_s16_to_s8(const ek_rescale_layer *layer, const int16_t *input, int8_t *output);

/* `count` times `value`. */
void ek_fill_s16(int16_t value, int32_t count, int16_t *output);

/* Any function of one byte: LOGISTIC, TANH, RELU, RELU6, requantization. `table` has an entry for each pattern of bits. */
void ek_lookup(const uint8_t *table, int32_t count, const void *input, void *output);

#ifdef __cplusplus
}
#endif
#endif
