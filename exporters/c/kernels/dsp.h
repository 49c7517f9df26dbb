/* What the kernels of the DSP extension share: its instructions, in C where there are none, and the requantization.
 *
 * The generator packs the weights and the requantization's constants (biases, multipliers, factors) into one array of
 * words a layer; its _c_layout_dsp.py says how, its _c_requantize_dsp.py why two multiplies requantize exactly. The
 * pointers of ek_requantization are not read. Memory is little endian and takes unaligned words. */
#ifndef EDGEKIT_DSP_H
#define EDGEKIT_DSP_H

#include "arithmetic.h"
#include "edgekit.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define EK_DSP_INSTRUCTIONS 1
#endif

/* A function that is one piece of assembly and keeps to the calling convention. GCC must not look into it: it would
 * take the registers that assembly does not declare for unused. */
#if defined(__clang__)
#define EK_ASSEMBLY __attribute__((naked, noinline)) static
#else
#define EK_ASSEMBLY __attribute__((naked, noipa)) static
#endif
#define EK_UNUSED __attribute__((unused))

/* Which of the ways through these kernels the layers take: layout.h may say so, and the others cost no flash. */
#if defined(EK_DSP_WAYS) && defined(EK_DSP_INSTRUCTIONS)
#define EK_TAKES(way) (((EK_DSP_WAYS) & (way)) != 0)
#else
#define EK_TAKES(way) 1
#endif
#define EK_WAY_CONV_GATHER 0x1u           /* patches that are not in a row in the input */
#define EK_WAY_CONV_PLAIN 0x2u            /* an odd channel, or the general arithmetic */
#define EK_WAY_FULLY_CONNECTED_PLAIN 0x4u /* outputs beyond a multiple of 4, or the general arithmetic */
#define EK_WAY_DEPTHWISE_TAPS 0x8u
#define EK_WAY_DEPTHWISE_PLAIN 0x10u
#define EK_WAY_DEPTHWISE_PLANES 0x20u
#define EK_WAY_STRIP_PLAIN 0x40u /* the general arithmetic in planes */
#define EK_WAY_STRIP(stride, columns) (0x80u << (8 * (stride) + (columns) - 8)) /* stride 1 or 2, up to 6 columns */

EK_INLINE uint32_t ek_load_u32(const void *from) {
    uint32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}

EK_INLINE uint32_t ek_load_u16(const void *from) {
    uint16_t half;
    __builtin_memcpy(&half, from, sizeof half);
    return half;
}

EK_INLINE void ek_store_u32(void *to, uint32_t word) {
    __builtin_memcpy(to, &word, sizeof word);
}

EK_INLINE int32_t ek_low_half(uint32_t x) {
    return (int16_t)(x & 0xFFFFu);
}

EK_INLINE int32_t ek_high_half(uint32_t x) {
    return (int16_t)(x >> 16);
}

/* Sums wrap around, as the instructions' do. */
EK_INLINE int32_t ek_wrapping_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* The bytes 0 and 2 as a pair of 16-bit values. */
EK_INLINE uint32_t ek_sxtb16(uint32_t x) {
#if defined(EK_DSP_INSTRUCTIONS)
    uint32_t y;
    __asm__("sxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
#else
    return ((uint32_t)(int8_t)(x & 0xFFu) & 0xFFFFu) | (uint32_t)(int8_t)((x >> 16) & 0xFFu) << 16;
#endif
}

/* The bytes 1 and 3 as a pair of 16-bit values. */
EK_INLINE uint32_t ek_sxtb16_odd(uint32_t x) {
#if defined(EK_DSP_INSTRUCTIONS)
    uint32_t y;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
#else
    return ek_sxtb16(x >> 8);
#endif
}

/* The low halves of a and b. */
EK_INLINE uint32_t ek_pack_low(uint32_t a, uint32_t b) {
    return (a & 0xFFFFu) | b << 16;
}

/* The high halves of a and b. */
EK_INLINE uint32_t ek_pack_high(uint32_t a, uint32_t b) {
    return a >> 16 | (b & 0xFFFF0000u);
}

/* Pairs of weights from words that hold two channels: of the first channel, and of the second. In the fast layout a
 * half is 256 * second + first, so that a negative first one has borrowed from the second; in the general one they are
 * two bytes. */
EK_INLINE uint32_t ek_first_channel(uint32_t halves) {
    return ek_sxtb16(halves);
}

EK_INLINE uint32_t ek_second_channel(uint32_t halves, int fast) {
    const uint32_t first = ek_sxtb16(halves);
    return ek_sxtb16_odd(fast ? ek_pack_low(halves - first, (halves >> 16) - (first >> 16)) : halves);
}

/* sum + a.low * b.low + a.high * b.high */
EK_INLINE int32_t ek_smlad(uint32_t a, uint32_t b, int32_t sum) {
#if defined(EK_DSP_INSTRUCTIONS)
    int32_t y;
    __asm__("smlad %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(sum));
    return y;
#else
    const int64_t products = (int64_t)ek_low_half(a) * ek_low_half(b) + (int64_t)ek_high_half(a) * ek_high_half(b);
    return ek_wrapping_add(sum, (int32_t)(uint32_t)products);
#endif
}

/* c + a * b / 2^32, rounded. */
EK_INLINE int32_t ek_smmlar(int32_t a, int32_t b, int32_t c) {
#if defined(EK_DSP_INSTRUCTIONS)
    int32_t y;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
#else
    return ek_wrapping_add(c, (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32));
#endif
}

/* From an accumulator to an output, within [-128, 127]. A negative factor stands for a shift that the two multiplies do
 * not do. */
EK_INLINE int8_t ek_requantize(int32_t sum, int32_t multiplier, int32_t factor, int32_t zero_point) {
    const int32_t value = factor > 0 ? ek_smmlar(ek_smmlar(sum, multiplier, sum), factor, zero_point)
                                     : ek_wrapping_add(ek_scale(sum, multiplier, factor + 64), zero_point);
    return (int8_t)ek_clamp(value, -128, 127);
}

/* The fused activation, where it is narrower than int8. */
EK_INLINE void ek_clamp_outputs(const ek_requantization *requantization, int8_t *output, int count) {
    if (requantization->low <= -128 && requantization->high >= 127) return;
    for (int i = 0; i < count; ++i)
        output[i] = (int8_t)ek_clamp(output[i], requantization->low, requantization->high);
}

#endif
