/* The Helium kernels against plain loops, over the shapes of cases.h (written by test_c_mve.py), in the emulator.
 *
 * Input and weights take turns to end where the memory ends, so that reading beyond them is a fault; output and working
 * memory are watched for writes beyond their ends. Prints "equal N" or what differed first.
 */
#include "arithmetic.h"
#include "board.h"
#include "edgekit.h"
#include "mve.h"
#include "print.h"

#include "cases.h"

enum { MOST = 200000, MOST_CHANNELS = 10000, MOST_SCRATCH = 65536, GUARD = 64, UNTOUCHED = 0x55 };

/* The end of the DTCM of the SSE-300; nothing is mapped behind it. */
#define MEMORY_END ((int8_t *)0x30080000u)

static int8_t plenty[MOST], output[MOST + GUARD];
static uint8_t scratch[MOST_SCRATCH + GUARD] __attribute__((aligned(16)));
static int32_t bias[MOST_CHANNELS], multiplier[MOST_CHANNELS];
static int8_t shift[MOST_CHANNELS];

static uint32_t state = 1;

static uint32_t random_word(void) { /* xorshift: Marsaglia (2003) */
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static int32_t random_between(int32_t low, int32_t high) {
    return low + (int32_t)(random_word() % (uint32_t)(high - low + 1));
}

/* Any bytes, or only the largest and smallest ones. */
static void fill(int8_t *values, int32_t count) {
    const int extreme = random_between(0, 7) == 0;
    for (int32_t i = 0; i < count; i++) {
        values[i] = extreme ? (random_word() & 1 ? 127 : -128) : (int8_t)random_word();
    }
}

/* Three kinds: accumulators near the limits of int32; shifts to the left and of 0; what networks have. */
static ek_requantization requantization(int32_t channels, int32_t taps) {
    const int32_t kind = random_between(0, 3);
    int32_t usual = -7;
    for (int32_t i = taps; i > 1; i /= 2) {
        usual--;
    }
    for (int32_t i = 0; i < channels; i++) {
        bias[i] = kind == 0 ? (int32_t)random_word() : random_between(-20000, 20000);
        multiplier[i] = random_between(0, 15) ? (int32_t)(0x40000000u | (random_word() >> 2)) : 0x7FFFFFFF;
        const int32_t drawn = kind == 0 ? random_between(-31, -21) : kind == 1 ? random_between(-12, 2)
                                                                               : usual + random_between(-2, 2);
        shift[i] = (int8_t)(kind > 1 && drawn > -1 ? -1 : drawn);
        if (random_between(0, 40) == 0) {
            multiplier[i] = shift[i] = 0;
        }
    }
    const int wide = random_between(0, 1);
    return (ek_requantization){bias, multiplier, shift, random_between(-128, 127),
                               wide ? -128 : random_between(-128, 0), wide ? 127 : random_between(1, 127)};
}

static int8_t requantized(const ek_requantization *to, uint32_t sum, int32_t channel) {
    const int32_t scaled = ek_scale((int32_t)(sum + (uint32_t)bias[channel]), multiplier[channel], shift[channel]);
    return (int8_t)ek_clamp(scaled + to->zero_point, to->low, to->high);
}

static void place(int32_t number, int32_t inputs, int32_t weights, int8_t **input, int8_t **weight) {
    *input = number & 1 ? MEMORY_END - inputs : plenty;
    *weight = number & 1 ? plenty + random_between(0, 3) : MEMORY_END - weights;
    fill(*input, inputs);
    fill(*weight, weights);
    for (uint32_t i = 0; i < sizeof scratch; i++) {
        scratch[i] = UNTOUCHED;
    }
    for (uint32_t i = 0; i < sizeof output; i++) {
        output[i] = UNTOUCHED;
    }
}

static void check(int good, const char *kernel, int32_t number, const char *what, int32_t at) {
    if (!good) {
        print(kernel);
        print(" case ");
        print_signed(number);
        print(": ");
        print(what);
        print(" ");
        print_signed(at);
        print("\n");
        board_exit(1);
    }
}

static void check_guards(const char *kernel, int32_t number, int32_t outputs, int32_t scratch_bytes) {
    for (int32_t i = 0; i < GUARD; i++) {
        check(output[outputs + i] == UNTOUCHED, kernel, number, "writes beyond the output by", i);
        check(scratch[scratch_bytes + i] == UNTOUCHED, kernel, number, "writes beyond its scratch by", i);
    }
}

static void check_convolution(int32_t number) {
    ek_conv_2d_layer l = convolutions[number];
    const int32_t depth = l.input_channels, taps = l.kernel_height * l.kernel_width * depth;
    int8_t *input, *weights;
    place(number, l.input_height * l.input_width * depth, l.output_channels * taps, &input, &weights);
    l.input_zero_point = random_between(-128, 127);
    l.weights = weights;
    l.requantization = requantization(l.output_channels, taps);
    ek_conv_2d(&l, input, scratch, output);
    const int8_t *result = output;
    for (int32_t y = 0; y < l.output_height; y++) {
        for (int32_t x = 0; x < l.output_width; x++) {
            const int8_t *weight = weights;
            for (int32_t channel = 0; channel < l.output_channels; channel++) {
                uint32_t sum = 0;
                for (int32_t tap = 0; tap < taps; tap++) {
                    const int32_t i = tap / depth / l.kernel_width, j = tap / depth % l.kernel_width;
                    const int32_t row = y * l.stride_height - l.pad_top + i * l.dilation_height;
                    const int32_t column = x * l.stride_width - l.pad_left + j * l.dilation_width;
                    const int inside = row >= 0 && row < l.input_height && column >= 0 && column < l.input_width;
                    const int32_t at = (row * l.input_width + column) * depth + tap % depth;
                    sum += (uint32_t)((inside ? input[at] : l.input_zero_point) * *weight++);
                }
                const int good = *result++ == requantized(&l.requantization, sum, channel);
                check(good, "conv_2d", number, "differs at", (int32_t)(result - output) - 1);
            }
        }
    }
    check_guards("conv_2d", number, (int32_t)(result - output), convolution_scratch[number]);
}

static void check_depthwise(int32_t number) {
    ek_depthwise_conv_2d_layer l = depthwise[number];
    const int32_t depth = l.input_channels * l.depth_multiplier, taps = l.kernel_height * l.kernel_width;
    int8_t *input, *weights;
    place(number, l.input_height * l.input_width * l.input_channels, depth * taps, &input, &weights);
    l.input_zero_point = random_between(-128, 127);
    l.weights = weights;
    l.requantization = requantization(depth, taps);
    ek_depthwise_conv_2d(&l, input, scratch, output);
    const int8_t *result = output;
    for (int32_t y = 0; y < l.output_height; y++) {
        for (int32_t x = 0; x < l.output_width; x++) {
            for (int32_t channel = 0; channel < depth; channel++) {
                uint32_t sum = 0;
                for (int32_t tap = 0; tap < taps; tap++) {
                    const int32_t row = y * l.stride_height - l.pad_top + tap / l.kernel_width * l.dilation_height;
                    const int32_t column = x * l.stride_width - l.pad_left + tap % l.kernel_width * l.dilation_width;
                    const int inside = row >= 0 && row < l.input_height && column >= 0 && column < l.input_width;
                    const int32_t pixel = (row * l.input_width + column) * l.input_channels;
                    const int32_t value = inside ? input[pixel + channel / l.depth_multiplier] : l.input_zero_point;
                    sum += (uint32_t)(value * weights[tap * depth + channel]);
                }
                const int good = *result++ == requantized(&l.requantization, sum, channel);
                check(good, "depthwise_conv_2d", number, "differs at", (int32_t)(result - output) - 1);
            }
        }
    }
    check_guards("depthwise_conv_2d", number, (int32_t)(result - output), depthwise_scratch[number]);
}

static void check_fully_connected(int32_t number) {
    ek_fully_connected_layer l = fully_connected[number];
    int8_t *input, *weights;
    place(number, l.rows * l.inputs, l.outputs * l.inputs, &input, &weights);
    l.weights = weights;
    l.requantization = requantization(l.outputs, l.inputs);
    ek_fully_connected(&l, input, NULL, output);
    for (int32_t i = 0; i < l.rows * l.outputs; i++) {
        uint32_t sum = 0;
        for (int32_t j = 0; j < l.inputs; j++) {
            sum += (uint32_t)(input[i / l.outputs * l.inputs + j] * weights[i % l.outputs * l.inputs + j]);
        }
        const int good = output[i] == requantized(&l.requantization, sum, i % l.outputs);
        check(good, "fully_connected", number, "differs at", i);
    }
    check_guards("fully_connected", number, l.rows * l.outputs, 0);
}

static int32_t operand(const ek_operand *of, int8_t value) {
    return ek_scale((int32_t)((uint32_t)(value + of->offset) << 20), of->multiplier, of->shift);
}

static void check_addition(int32_t number) {
    const int32_t count = random_between(1, 300), larger = random_between(0, 2);
    int8_t *a, *b;
    place(number, count, count, &a, &b);
    ek_binary_layer l = {.count = {1, 1, 1, count}, .multiplier = (int32_t)(0x40000000u | (random_word() >> 2)),
                         .shift = random_between(-22, -15), .zero_point = random_between(-128, 127),
                         .low = random_between(-128, 0), .high = random_between(1, 127)};
    for (int i = 0; i < 2; i++) {
        const int half = larger == i || larger == 2; /* the operand with the larger scale, or both have the same */
        const int32_t drawn = (int32_t)(0x40000000u | (random_word() >> 2));
        *(i ? &l.b : &l.a) = (ek_operand){random_between(-127, 128), half ? 1 << 30 : drawn,
                                          half ? 0 : random_between(-6, 0), {0, 0, 0, 1}};
    }
    check(ek_mve_add(&l, a, b, output), "add", number, "is refused", 0);
    for (int32_t i = 0; i < count; i++) {
        const int32_t sum = operand(&l.a, a[i]) + operand(&l.b, b[i]);
        const int32_t value = ek_clamp(ek_scale(sum, l.multiplier, l.shift) + l.zero_point, l.low, l.high);
        check(output[i] == value, "add", number, "differs at", i);
    }
    check_guards("add", number, count, 0);
}

static void check_channel_sums(int32_t number) {
    const int32_t channels = random_between(1, 16), rows = random_between(1, 9), columns = random_between(1, 9);
    const int32_t depth = channels + random_between(0, 9), width = columns + random_between(0, 3);
    int8_t *input, *weights;
    int32_t sums[16];
    place(number | 1, ((rows - 1) * width + columns - 1) * depth + channels, 0, &input, &weights);
    ek_mve_sum_channels(input, channels, rows, columns, width * depth, depth, sums);
    for (int32_t channel = 0; channel < channels; channel++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < rows * columns; i++) {
            sum += input[(i / columns * width + i % columns) * depth + channel];
        }
        check(sum == sums[channel], "sum_channels", number, "differs at", channel);
    }
}

int main(void) {
    for (int32_t i = 0; i < CASES; i++) {
        check_convolution(i);
        check_depthwise(i);
        check_fully_connected(i);
        check_addition(i);
        check_channel_sums(i);
    }
    print_pair("equal", 5 * CASES);
    return 0;
}
