/* The micro frontend: 16 kHz sound to channels of energy, freed of noise, on a logarithmic scale. Integers only.
 *
 * TensorFlow's "microfrontend", bit for bit, with KISS FFT's 16-bit transform (radix 4, a division by four in each
 * stage). The Python part of this model computes the same and says where the parts come from. No malloc, no libm.
 */
#include "frontend.h"

#include <string.h>

#include "frontend_tables.h"

#ifdef __ARM_FEATURE_DSP
#include "micro_frontend_dsp.h"
#else
#include "micro_frontend_plain.h"
#endif

#define HALF 256 /* complex points: the transform of 512 real samples is one of half as many pairs */
#define NOISE_BITS 14
#define SMOOTHING_BITS 10 /* the noise estimate has so many bits more than the signal */
#define CORRECTION_BITS 3
#define RATIO_BITS 12 /* of the signal-to-noise ratio */
#define OUTPUT_BITS 6
#define LN2 45426u /* 16 bits */

static int16_t samples[FRONTEND_WINDOW];
static size_t held; /* samples in the window so far */
static uint32_t noise[FRONTEND_FEATURES];
static complex16 points[HALF];
static union { /* what the transform is made of is not needed when its energies are measured */
    complex16 windowed[HALF]; /* the frame as pairs, then zeros */
    uint32_t energy[HALF + 1];
} scratch;

static int bit_length(uint32_t value)
{
    return value ? 32 - __builtin_clz(value) : 0;
}

/* Windows the samples; returns by how many bits they can be scaled up. */
static int apply_window(void)
{
    uint32_t seen = 0; /* bits that any sample's size has; -32768 has no size in 16 bits, and does not count */
    int16_t *out = (int16_t *)scratch.windowed;
    for (size_t i = 0; i < FRONTEND_WINDOW; i++) {
        int32_t value = samples[i] * window[i] >> 12;
        seen |= (uint32_t)(value < 0 ? -value : value);
        out[i] = (int16_t)value;
    }
    memset(scratch.windowed + FRONTEND_WINDOW / 2, 0, sizeof scratch.windowed - sizeof samples);
    return 15 - bit_length(seen & 0x7FFF);
}

/* The transform of the windowed samples, scaled up by `shift` bits, divided by 256, in `points`. */
static void transform(int shift)
{
    for (size_t i = 0; i < HALF / 4; i++) { /* puts points into order: the base-4 digits of the index, reversed */
        first_butterfly(points + 4 * i, scratch.windowed + ((i & 3) << 4 | (i & 12) | i >> 4), shift);
    }
    for (size_t span = 4; span < HALF; span *= 4) {
        size_t stride = HALF / (4 * span);
        for (size_t k = 0; k < span; k++) {
            complex16 w1 = twiddles[k * stride], w2 = twiddles[2 * k * stride], w3 = twiddles[3 * k * stride];
            for (complex16 *at = points + k; at < points + HALF; at += 4 * span) {
                turned_butterfly(at, span, w1, w2, w3);
            }
        }
    }
}

/* The energies of the real signal's bins 1..255 from the transform of its pairs. */
static void measure_energy(void)
{
    for (size_t k = 1; k <= HALF / 2; k++) {
        uint32_t *energies[2] = {&scratch.energy[k], &scratch.energy[HALF - k]};
        split(points + k, points + HALF - k, split_twiddles + k - 1, energies);
    }
}

/* The square root, rounded down: a straight line that is off by 4 % at most, and two steps of Newton's. */
static uint32_t floor_root(uint32_t value)
{
    if (!value) {
        return 0;
    }
    int shift = __builtin_clz(value) & ~1;
    uint32_t scaled = value << shift; /* at least 2^30 */
    uint32_t found = ((scaled >> 15) * 21845u >> 16) + 23210u;
    found = (found + scaled / found) >> 1;
    found = (found + scaled / found) >> 1; /* at most one too high: the mean is never below the root */
    found -= (uint64_t)found * found > scaled;
    return found >> shift / 2;
}

/* The nearest integer to the square root, but at most 65535 where the value has 32 bits. */
static uint32_t root(uint64_t value)
{
    int excess = value >> 32 ? (bit_length((uint32_t)(value >> 32)) + 1) / 2 : 0;
    uint32_t found = floor_root((uint32_t)(value >> 2 * excess));
    if (!excess) {
        return found + ((uint32_t)value - found * found > found && found != 0xFFFF);
    }
    /* One step of Newton's gives the lower bits; it ends at most one too high. */
    uint32_t start = found << excess;
    uint64_t missing = value - (uint64_t)start * start;
    start += (uint32_t)(missing >> excess) / (2 * found);
    start -= (uint64_t)start * start > value;
    return start + (value - (uint64_t)start * start > start);
}

/* Channel `i` gets what the bins before its centre give to it and the rest of the bins before the centre of `i` - 1. */
static void sum_channels(int shift, uint32_t *channels)
{
    uint64_t falling = 0;
    size_t bin = FIRST_BIN;
    const int16_t *share = weights, *other = rest;
    for (size_t i = 0; i <= FRONTEND_FEATURES; i++) {
        uint64_t rising = falling;
        falling = 0;
        for (size_t end = bin + widths[i]; bin < end; bin++) {
            rising += (uint64_t)scratch.energy[bin] * (uint16_t)*share++;
            falling += (uint64_t)scratch.energy[bin] * (uint16_t)*other++;
        }
        if (i > 0) {
            channels[i - 1] = root(rising) >> shift;
        }
    }
}

static uint32_t without_noise(uint32_t signal, uint32_t *estimate, uint32_t smoothing)
{
    uint32_t scaled = signal << SMOOTHING_BITS;
    uint64_t mixed = (uint64_t)scaled * smoothing + (uint64_t)*estimate * ((1u << NOISE_BITS) - smoothing);
    *estimate = (uint32_t)(mixed >> NOISE_BITS);
    uint32_t taken = *estimate < scaled ? *estimate : scaled;
    uint32_t least = (uint32_t)((uint64_t)signal * LEAST_SIGNAL >> NOISE_BITS);
    uint32_t left = (scaled - taken) >> SMOOTHING_BITS;
    return left > least ? left : least;
}

/* A power of the noise estimate, by parabolas between powers of two. */
static uint32_t gain_of(uint32_t estimate)
{
    if (estimate <= 2) {
        return (uint32_t)gains[estimate];
    }
    int interval = bit_length(estimate);
    const int16_t *curve = gains + 4 * interval - 6;
    int32_t part = (int32_t)((interval < 11 ? estimate << (11 - interval) : estimate >> (interval - 11)) & 0x3FF);
    int32_t value = ((curve[2] * part >> 5) + curve[1] * 32) * part;
    return (uint32_t)(((value + (1 << 14)) >> 15) + curve[0]);
}

/* Quadratic up to twice the noise, then linear. */
static uint32_t squeezed(uint32_t ratio)
{
    if (ratio < 2u << RATIO_BITS) {
        return ratio * ratio >> (2 + 2 * RATIO_BITS - OUTPUT_BITS);
    }
    return (ratio >> (RATIO_BITS - OUTPUT_BITS)) - (1u << OUTPUT_BITS);
}

/* 2^LOG_SHIFT * ln(value), at most 65535; 0 for 0. */
static uint32_t logarithm(uint32_t value)
{
    if (value <= 1) {
        return 0;
    }
    int whole = bit_length(value) - 1;
    uint32_t part = value - (1u << whole);
    part = whole < 16 ? part << (16 - whole) : part >> (whole - 16);
    uint32_t segment = part >> 9;
    int32_t step = (int32_t)(part & 0x1FF) * (logs[segment + 1] - logs[segment]) >> 16;
    uint32_t binary = ((uint32_t)whole << 16) + part + logs[segment] + (uint32_t)step;
    uint32_t natural = (uint32_t)(((uint64_t)LN2 * binary + 0x8000) >> 16);
    uint32_t scaled = ((natural << LOG_SHIFT) + 0x8000) >> 16;
    return scaled < 0xFFFF ? scaled : 0xFFFF;
}

static int8_t quantized(uint32_t value)
{
    int32_t steps = (int32_t)((value * MULTIPLIER + (1u << (SHIFT - 1))) >> SHIFT);
    steps += ZERO_POINT;
    return (int8_t)(steps > 127 ? 127 : steps);
}

static void compute(int8_t *features)
{
    uint32_t channels[FRONTEND_FEATURES];
    int shift = apply_window();
    transform(shift);
    measure_energy();
    sum_channels(shift, channels);
    for (size_t i = 0; i < FRONTEND_FEATURES; i++) {
        uint32_t signal = without_noise(channels[i], &noise[i], i % 2 ? ODD_SMOOTHING : EVEN_SMOOTHING);
        uint32_t ratio = (uint32_t)((uint64_t)signal * gain_of(noise[i]) >> RATIO_SHIFT);
        features[i] = quantized(logarithm(squeezed(ratio) << CORRECTION_BITS));
    }
}

void frontend_reset(void)
{
    held = 0;
    memset(noise, 0, sizeof noise);
}

size_t frontend_push(const int16_t *audio, size_t count, int8_t *features, int *ready)
{
    size_t taken = FRONTEND_WINDOW - held < count ? FRONTEND_WINDOW - held : count;
    memcpy(samples + held, audio, taken * sizeof *samples);
    held += taken;
    *ready = held == FRONTEND_WINDOW;
    if (*ready) {
        compute(features);
        held -= FRONTEND_STEP;
        memmove(samples, samples + FRONTEND_STEP, held * sizeof *samples);
    }
    return taken;
}
