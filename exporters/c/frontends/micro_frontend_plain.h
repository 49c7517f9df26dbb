/* The micro frontend's transform in plain C. */
#ifndef MICRO_FRONTEND_PLAIN_H
#define MICRO_FRONTEND_PLAIN_H

/* Between roundings: a sum of two products of quarters never leaves 16 bits, so only what is stored wraps around. */
typedef struct {
    int32_t re, im;
} wide;

static inline complex16 stored(int32_t re, int32_t im)
{
    return (complex16){(int16_t)re, (int16_t)im};
}

/* x / 4 and x / 2 as KISS FFT rounds them. */
static inline wide quarter(complex16 a)
{
    return (wide){(a.re * 8191 + (1 << 14)) >> 15, (a.im * 8191 + (1 << 14)) >> 15};
}

static inline wide halved(complex16 a)
{
    return (wide){(a.re * 16383 + (1 << 14)) >> 15, (a.im * 16383 + (1 << 14)) >> 15};
}

/* a * b in 15 fractional bits. */
static inline wide product(wide a, complex16 b)
{
    return (wide){(a.re * b.re - a.im * b.im + (1 << 14)) >> 15, (a.re * b.im + a.im * b.re + (1 << 14)) >> 15};
}

static inline complex16 scaled(complex16 a, int shift)
{
    return stored((int32_t)((uint32_t)a.re << shift), (int32_t)((uint32_t)a.im << shift));
}

static inline void butterfly(complex16 *at, size_t span, wide zero, wide one, wide two, wide three)
{
    wide total = {zero.re + two.re, zero.im + two.im}, rest = {zero.re - two.re, zero.im - two.im};
    wide plus = {one.re + three.re, one.im + three.im}, minus = {one.re - three.re, one.im - three.im};
    at[0] = stored(total.re + plus.re, total.im + plus.im);
    at[span] = stored(rest.re + minus.im, rest.im - minus.re);
    at[2 * span] = stored(total.re - plus.re, total.im - plus.im);
    at[3 * span] = stored(rest.re - minus.im, rest.im + minus.re);
}

/* A butterfly of the first stage, which turns by nothing, on inputs scaled up by `shift` bits. */
static inline void first_butterfly(complex16 *at, const complex16 *from, int shift)
{
    butterfly(at, 1, quarter(scaled(from[0], shift)), quarter(scaled(from[64], shift)),
              quarter(scaled(from[128], shift)), quarter(scaled(from[192], shift)));
}

static inline void turned_butterfly(complex16 *at, size_t span, complex16 w1, complex16 w2, complex16 w3)
{
    butterfly(at, span, quarter(at[0]), product(quarter(at[span]), w1), product(quarter(at[2 * span]), w2),
              product(quarter(at[3 * span]), w3));
}

static inline uint32_t squared(int32_t re, int32_t im)
{
    return (uint32_t)(re * re) + (uint32_t)(im * im);
}

/* The energies of a real signal's bin and of the one mirrored to it, from the transform of its pairs at both. */
static inline void split(const complex16 *bin, const complex16 *mirror, const complex16 *turn, uint32_t *energies[2])
{
    wide low = halved(*bin), high = halved(stored(mirror->re, -mirror->im));
    wide both = {low.re + high.re, low.im + high.im};
    wide turned = product((wide){low.re - high.re, low.im - high.im}, *turn);
    complex16 kept = stored(turned.re, turned.im);
    *energies[0] = squared((both.re + kept.re) >> 1, (both.im + kept.im) >> 1);
    *energies[1] = squared((both.re - kept.re) >> 1, (kept.im - both.im) >> 1);
}

#endif
