/* MFCC: 16 kHz sound to cepstral coefficients in int8. Fixed point in 32 bits: the same answers on every core, with or
 * without a floating-point unit, and within one step of the double-precision definition (the Python part of this model).
 *
 * Full scale counts as 1. A frame is scaled up until its loudest sample nearly fills 30 bits, and the logarithm takes the
 * scale back; so quiet sounds lose nothing. No malloc, no libm.
 */
#include "frontend.h"

#include <string.h>

#include "frontend_tables.h"

#define HALF 256 /* complex points: the transform of 512 real samples is one of half as many pairs */
#define MELS (sizeof widths - 1)

static int16_t samples[FRONTEND_WINDOW];
static size_t held; /* samples in the window so far */
static complex32 points[HALF];

/* Half of a * b, where b has 31 fractional bits. */
static int32_t half_product(int32_t a, int32_t b)
{
    return (int32_t)((int64_t)a * b >> 32);
}

static complex32 half_turned(complex32 a, complex32 w)
{
    return (complex32){half_product(a.re, w.re) - half_product(a.im, w.im),
                       half_product(a.re, w.im) + half_product(a.im, w.re)};
}

static complex32 halved(complex32 a)
{
    return (complex32){a.re >> 1, a.im >> 1};
}

/* By how many bits windowed samples are to be scaled up so that they nearly fill 29 bits (-1..14). */
static int headroom(void)
{
    uint32_t seen = 0; /* bits that any sample's size has */
    for (size_t i = 0; i < FRONTEND_WINDOW; i++) {
        int32_t sample = samples[i];
        seen |= (uint32_t)(sample < 0 ? ~sample : sample);
    }
    /* ~x is one less than |x|: a size of exactly 2^n counts for n bits, which the limit of 2^30 has room for. */
    return seen ? __builtin_clz(seen) - 18 : 14;
}

/* Four values, each given as its half, to four quarters of sums: so a stage can never overflow. */
static void butterfly(complex32 *at, size_t span, complex32 zero, complex32 one, complex32 two, complex32 three)
{
    complex32 total = {zero.re + two.re, zero.im + two.im}, rest = {zero.re - two.re, zero.im - two.im};
    complex32 plus = {one.re + three.re, one.im + three.im}, minus = {one.re - three.re, one.im - three.im};
    at[0] = (complex32){(total.re + plus.re) >> 1, (total.im + plus.im) >> 1};
    at[span] = (complex32){(rest.re + minus.im) >> 1, (rest.im - minus.re) >> 1};
    at[2 * span] = (complex32){(total.re - plus.re) >> 1, (total.im - plus.im) >> 1};
    at[3 * span] = (complex32){(rest.re - minus.im) >> 1, (rest.im + minus.re) >> 1};
}

/* Half of the windowed sample `i`, scaled up by `shift` bits (of twice its value: a shift is never negative). */
static int32_t half_windowed(size_t i, int shift)
{
    int32_t weight = window[i <= FRONTEND_WINDOW / 2 ? i : FRONTEND_WINDOW - i];
    return (int32_t)((uint32_t)(samples[i] * weight >> 2) << shift);
}

/* Half of pair `i`; behind the window there is nothing. */
static complex32 half_pair(size_t i, int shift)
{
    if (2 * i >= FRONTEND_WINDOW) {
        return (complex32){0, 0};
    }
    return (complex32){half_windowed(2 * i, shift), half_windowed(2 * i + 1, shift)};
}

/* The transform of the windowed samples, scaled up by `shift` bits, divided by 256, in `points`. */
static void transform(int shift)
{
    for (size_t i = 0; i < HALF / 4; i++) { /* the first stage turns by nothing, and puts points into order */
        size_t from = (i & 3) << 4 | (i & 12) | i >> 4; /* the base-4 digits, reversed */
        butterfly(points + 4 * i, 1, half_pair(from, shift + 1), half_pair(from + 64, shift + 1),
                  half_pair(from + 128, shift + 1), half_pair(from + 192, shift + 1));
    }
    for (size_t span = 4; span < HALF; span *= 4) {
        size_t stride = HALF / (2 * span); /* the table has the angles of 512 points */
        for (size_t k = 0; k < span; k++) {
            complex32 w1 = twiddles[k * stride], w2 = twiddles[2 * k * stride], w3 = twiddles[3 * k * stride];
            for (complex32 *at = points + k; at < points + HALF; at += 4 * span) {
                butterfly(at, span, halved(at[0]), half_turned(at[span], w1), half_turned(at[2 * span], w2),
                          half_turned(at[3 * span], w3));
            }
        }
    }
}

/* The square root of a value below 2^62, to 15 bits: a table of 96 chords over [1/4, 1). */
static uint32_t root(uint64_t value)
{
    if (!value) {
        return 0;
    }
    int shift = __builtin_clzll(value) & ~1;
    uint32_t top = (uint32_t)(value << shift >> 32);
    const uint16_t *chord = roots + (top >> 25) - 32;
    uint32_t found = ((uint32_t)chord[0] << 16) + (uint32_t)(chord[1] - chord[0]) * (top >> 9 & 0xFFFF);
    return found >> (shift / 2 - 1);
}

/* Half of the size of bin `k` of the real signal, from the transform of its pairs. */
static uint32_t magnitude(size_t k)
{
    complex32 low = halved(points[k]), high = halved(points[HALF - k]);
    complex32 turned = half_turned((complex32){low.re - high.re, low.im + high.im}, twiddles[k]);
    int64_t re = ((low.re + high.re) >> 1) + turned.im, im = ((low.im - high.im) >> 1) - turned.re;
    return root((uint64_t)(re * re + im * im));
}

/* log2 in 16 fractional bits of value > 0, by a table of its distance from chords. */
static int32_t logarithm(uint64_t value)
{
    int zeros = __builtin_clzll(value);
    uint32_t part = (uint32_t)(value << zeros >> 32) & 0x7FFFFFFF;
    const uint16_t *chord = logs + (part >> 25);
    int32_t step = (chord[1] - chord[0]) * (int32_t)(part >> 9 & 0xFFFF) >> 16;
    return ((63 - zeros) << 16) + (int32_t)(part >> 15) + chord[0] + step;
}

/* Logarithms of the mels. Between two edges one filter rises by what the one before it falls. */
static void measure_mels(int shift, int32_t *mels)
{
    uint64_t offset = ((uint64_t)OFFSET << (shift + 1)) >> 1;
    int32_t unit = (36 + shift) << 16; /* a mel of 1 is 2^(36 + shift) here */
    uint64_t begun = 0; /* what the filter that falls here got while it rose */
    size_t bin = FIRST_BIN;
    const uint16_t *share = rising;
    for (size_t i = 0; i <= MELS; i++) {
        uint64_t falls = begun, rises = 0;
        for (size_t end = bin + widths[i]; bin < end; bin++) {
            uint32_t size = magnitude(bin);
            rises += (uint64_t)size * *share;
            falls += (uint64_t)size * (32768u - *share++);
        }
        if (i > 0) {
            mels[i - 1] = logarithm(falls + offset) - unit;
        }
        begun = rises;
    }
}

/* The cosine transform; even rows are symmetric and odd ones antisymmetric, so half of a row is all there is. */
static void transform_cosine(const int32_t *mels, int8_t *features)
{
    for (size_t k = 0; k < FRONTEND_FEATURES; k++) {
        int64_t value = (int64_t)1 << 31;
        for (size_t n = 0; n < MELS / 2; n++) {
            int32_t mirrored = mels[MELS - 1 - n];
            value += (int64_t)dct[k][n] * (k % 2 ? mels[n] - mirrored : mels[n] + mirrored);
        }
        int32_t steps = (int32_t)(value >> 32) + ZERO_POINT;
        features[k] = (int8_t)(steps < -128 ? -128 : steps > 127 ? 127 : steps);
    }
}

static void compute(int8_t *features)
{
    int32_t mels[MELS];
    int shift = headroom();
    transform(shift);
    measure_mels(shift, mels);
    transform_cosine(mels, features);
}

void frontend_reset(void)
{
    held = 0;
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
