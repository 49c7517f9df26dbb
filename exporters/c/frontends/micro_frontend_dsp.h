/* The micro frontend's transform for the DSP extension (Cortex-M4, M7, M33, M55): a complex number is one register.
 *
 * The answers are those of micro_frontend_plain.h. Sums of halves wrap around as its stores do.
 */
#ifndef MICRO_FRONTEND_DSP_H
#define MICRO_FRONTEND_DSP_H

#include <arm_acle.h>
#include <string.h>

typedef int32_t packed; /* the real part in the lower half */

static inline packed loaded(const complex16 *from)
{
    packed value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void put(complex16 *to, packed value)
{
    memcpy(to, &value, sizeof value);
}

/* The lower half of one and the upper half of the other. (A host tests this file with intrinsics of its own.) */
static inline packed halves(packed lower, packed upper)
{
#ifdef __arm__
    packed both;
    __asm("pkhbt %0, %1, %2" : "=r"(both) : "r"(lower), "r"(upper));
    return both;
#else
    return (packed)(((uint32_t)lower & 0xFFFFu) | ((uint32_t)upper & 0xFFFF0000u));
#endif
}

/* Two results of 15 fractional bits, as whole numbers. */
static inline packed rounded(int32_t re, int32_t im)
{
#ifdef __arm__
    packed both;
    __asm("pkhbt %0, %1, %2, lsl #1" : "=r"(both) : "r"(re >> 15), "r"(im));
    return both;
#else
    return halves(re >> 15, (int32_t)((uint32_t)im << 1));
#endif
}

/* x / 4 and x / 2 as KISS FFT rounds them. */
static inline packed quarter(packed a)
{
    return rounded(__smlabb(a, 8191, 1 << 14), __smlatb(a, 8191, 1 << 14));
}

static inline packed halved(packed a)
{
    return rounded(__smlabb(a, 16383, 1 << 14), __smlatb(a, 16383, 1 << 14));
}

static inline packed product(packed a, packed b)
{
    return rounded(__smlsd(a, b, 1 << 14), __smladx(a, b, 1 << 14));
}

static inline packed scaled(packed a, int shift)
{
    return halves((int32_t)((uint32_t)a << shift), (int32_t)(((uint32_t)a & 0xFFFF0000u) << shift));
}

static inline void butterfly(complex16 *at, size_t span, packed zero, packed one, packed two, packed three)
{
    packed total = __sadd16(zero, two), rest = __ssub16(zero, two);
    packed plus = __sadd16(one, three), minus = __ssub16(one, three);
    put(at, __sadd16(total, plus));
    put(at + span, __ssax(rest, minus));
    put(at + 2 * span, __ssub16(total, plus));
    put(at + 3 * span, __sasx(rest, minus));
}

/* A butterfly of the first stage, which turns by nothing, on inputs scaled up by `shift` bits. */
static inline void first_butterfly(complex16 *at, const complex16 *from, int shift)
{
    butterfly(at, 1, quarter(scaled(loaded(from), shift)), quarter(scaled(loaded(from + 64), shift)),
              quarter(scaled(loaded(from + 128), shift)), quarter(scaled(loaded(from + 192), shift)));
}

static inline void turned_butterfly(complex16 *at, size_t span, complex16 w1, complex16 w2, complex16 w3)
{
    butterfly(at, span, quarter(loaded(at)), product(quarter(loaded(at + span)), loaded(&w1)),
              product(quarter(loaded(at + 2 * span)), loaded(&w2)), product(quarter(loaded(at + 3 * span)), loaded(&w3)));
}

/* The energies of a real signal's bin and of the one mirrored to it, from the transform of its pairs at both. */
static inline void split(const complex16 *bin, const complex16 *mirror, const complex16 *turn, uint32_t *energies[2])
{
    packed low = halved(loaded(bin)), high = loaded(mirror);
    high = halved(halves(high, __ssub16(0, high)));
    packed both = __sadd16(low, high), turned = product(__ssub16(low, high), loaded(turn));
    packed direct = __shadd16(both, turned), mirrored = halves(__shsub16(both, turned), __shsub16(turned, both));
    *energies[0] = (uint32_t)__smuad(direct, direct);
    *energies[1] = (uint32_t)__smuad(mirrored, mirrored);
}

#endif
