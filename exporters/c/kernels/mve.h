/* What the Helium (Cortex-M55, M85) kernels share: requantization and moves that C's intrinsics lack or spell slowly.
 *
 * Two ways to requantize, both as ek_scale in arithmetic.h to the bit:
 *   one channel, its pixels in the lanes: multiplier and shift are scalars (convolutions);
 *   one pixel, its channels in the lanes: they are vectors (fully connected).
 *
 * Ties of the rounding divide go away from zero, VRSHL's go up. One less for the negative ones makes them meet. Where
 * the shift to the right is at least 1 the sign of the accumulator says the same as that of the product (a product
 * rounded up to 0 stays 0: -1 rounds to 0 then), and the subtraction is free: VQRDMLAH adds what it multiplies.
 */
#ifndef EDGEKIT_MVE_H
#define EDGEKIT_MVE_H

#if !defined(__OPTIMIZE__)
#error "The Helium kernels need an optimizing build, such as -O2; without one define EK_NO_MVE."
#endif

#include <arm_mve.h>
#include <stddef.h>

#include "arithmetic.h"
#include "edgekit.h"

/* Which of the ways through these kernels the layers take: layout.h may say so, and the others cost no flash. */
#if defined(EK_HELIUM_WAYS)
#define EK_TAKES(way) (((EK_HELIUM_WAYS) & (way)) != 0)
#else
#define EK_TAKES(way) 1
#endif
#define EK_WAY_LEFT 0x1u   /* a channel that is not scaled down by a shift */
#define EK_WAY_NARROW 0x2u /* a convolution whose outputs are held to less than all of int8 */
#define EK_WAY_FAR 0x4u    /* more output channels than 16-bit addresses of 8 pixels reach */
#define EK_WAY_SQUARE 0x8u /* depthwise, up to 3 x 3 taps side by side */
#define EK_WAY_LINE 0x10u  /* depthwise, other kernels of up to 4 x 4 taps */
#define EK_WAY_TAPS 0x20u  /* depthwise, all the rest */

/* A function that stays one: assembly with many operands leaves few registers to what is around it. */
#define EK_OUTLINE static __attribute__((noinline))

/* Two lanes from two registers, in one instruction. (The first register goes to the second lane named, in LLVM too.) */
EK_INLINE int32x4_t ek_mve_pack_0_2(int32_t lane0, int32_t lane2) {
    int32x4_t lanes;
    __asm__("vmov %q0[2], %q0[0], %1, %2" : "=w"(lanes) : "r"(lane0), "r"(lane2));
    return lanes;
}

EK_INLINE int32x4_t ek_mve_pack_1_3(int32x4_t lanes, int32_t lane1, int32_t lane3) {
    __asm__("vmov %q0[3], %q0[1], %1, %2" : "+w"(lanes) : "r"(lane1), "r"(lane3));
    return lanes;
}

EK_INLINE int32x4_t ek_mve_pack(int32_t lane0, int32_t lane1, int32_t lane2, int32_t lane3) {
    return ek_mve_pack_1_3(ek_mve_pack_0_2(lane0, lane2), lane1, lane3);
}

/* Adds `STEP` bytes to four addresses, then loads a word from each. (GCC 14 emits the load of its intrinsic twice.) */
#define EK_MVE_GATHER_NEXT(WORDS, ADDRESSES, STEP) \
    __asm__ volatile("vldrw.u32 %q0, [%q1, #%c2]!" : "=&w"(WORDS), "+w"(ADDRESSES) : "i"(STEP) : "memory")

/* base + {0, 1, 2, 3} * step */
EK_INLINE uint32x4_t ek_mve_ramp(uint32_t base, uint32_t step) {
    return vaddq_n_u32(vmulq_n_u32(vidupq_n_u32(0, 1), step), base);
}

/* memcpy and memset of bytes, inline: their lengths are a few vectors. No length is a no-op. */
EK_INLINE void ek_mve_copy(int8_t *to, const int8_t *from, int32_t bytes) {
    __asm__ volatile("wlstp.8 lr, %[bytes], 2f\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[from]], #16\n\t"
                     "vstrb.8 q0, [%[to]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+&r"(to), [from] "+&r"(from)
                     : [bytes] "r"(bytes)
                     : "q0", "lr", "memory");
}

EK_INLINE void ek_mve_fill(int8_t *to, int8x16_t value, int32_t bytes) {
    __asm__ volatile("wlstp.8 lr, %[bytes], 2f\n"
                     "1:\n\t"
                     "vstrb.8 %q[value], [%[to]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+&r"(to)
                     : [bytes] "r"(bytes), [value] "w"(value)
                     : "lr", "memory");
}

/* ek_scale for one channel. shift < 0 (`divides`): multiply, then rounding divide; else: to the left, then multiply. */
EK_INLINE int32x4_t ek_mve_scale(int32x4_t x, int32_t multiplier, int32_t shift, int divides) {
    if (divides) {
        return vrshlq_n_s32(vqrdmlahq_n_s32(vshrq_n_s32(x, 31), x, multiplier), shift);
    }
    return vqrdmulhq_n_s32(vshlq_r_s32(x, shift), multiplier);
}

/* ek_scale with a multiplier and a shift per lane. */
EK_INLINE int32x4_t ek_mve_scale_lanes(int32x4_t x, int32x4_t multiplier, int32x4_t shift) {
    const int32x4_t left = vmaxq_s32(shift, vdupq_n_s32(0));
    const int32x4_t right = vminq_s32(shift, vdupq_n_s32(0));
    const int32x4_t product = vqrdmulhq_s32(vshlq_s32(x, left), multiplier);
    const int32x4_t nudge = vshrq_n_s32(vandq_s32(product, right), 31);
    return vrshlq_s32(vaddq_s32(product, nudge), right);
}

EK_INLINE int32x4_t ek_mve_clamp(int32x4_t x, int32_t zero_point, int32x4_t low, int32x4_t high) {
    return vminq_s32(vmaxq_s32(vaddq_n_s32(x, zero_point), low), high);
}

/* --- ADD --------------------------------------------------------------------------------------------------------- */

EK_INLINE int32x4_t ek_mve_operand(int32x4_t values, const ek_operand *of, int divides) {
    const int32x4_t wide = vshlq_n_s32(vaddq_n_s32(values, of->offset), 20); /* HEADROOM in binary.c */
    return ek_mve_scale(wide, of->multiplier, of->shift, divides);
}

/* A run of sums; the shift of the sum is negative. Without aliases the layer's values would be loaded every time. */
EK_INLINE void ek_mve_add_run(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output,
                              int32_t count, int a_divides, int b_divides) {
    const ek_operand of_a = layer->a, of_b = layer->b;
    const int32_t multiplier = layer->multiplier, shift = layer->shift, zero_point = layer->zero_point;
    const int32x4_t low = vdupq_n_s32(layer->low), high = vdupq_n_s32(layer->high);
#pragma GCC unroll 1
    for (int32_t left = count; left > 0; left -= 4, a += 4, b += 4, output += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)left);
        const int32x4_t scaled_a = ek_mve_operand(vldrbq_z_s32(a, lanes), &of_a, a_divides);
        const int32x4_t scaled_b = ek_mve_operand(vldrbq_z_s32(b, lanes), &of_b, b_divides);
        const int32x4_t sum = ek_mve_scale(vaddq_s32(scaled_a, scaled_b), multiplier, shift, 1);
        vstrbq_p_s32(output, ek_mve_clamp(sum, zero_point, low, high), lanes);
    }
}

/* Whether each operand is as large as the output and lies as densely. */
EK_INLINE int ek_mve_is_dense(const ek_binary_layer *l, const int32_t step[4]) {
    int32_t dense = 1;
    for (int axis = 3; axis >= 0; dense *= l->count[axis--]) {
        if (l->count[axis] != 1 && step[axis] != dense) {
            return 0;
        }
    }
    return 1;
}

/* ADD without broadcasting, 26 instructions for 4 values. Returns 0, and has done nothing, where this is not the case
 * or the sum is not scaled down. (One operand's shift is 0: the larger scale's, which is halved.) */
EK_INLINE int ek_mve_add(const ek_binary_layer *l, const int8_t *a, const int8_t *b, int8_t *output) {
    if (l->shift >= 0 || !ek_mve_is_dense(l, l->a.step) || !ek_mve_is_dense(l, l->b.step)) {
        return 0;
    }
    const int32_t count = l->count[0] * l->count[1] * l->count[2] * l->count[3];
    if (l->a.shift < 0 && l->b.shift >= 0) {
        ek_mve_add_run(l, a, b, output, count, 1, 0);
    } else if (l->a.shift >= 0 && l->b.shift < 0) {
        ek_mve_add_run(l, a, b, output, count, 0, 1);
    } else if (l->a.shift >= 0 && l->b.shift >= 0) {
        ek_mve_add_run(l, a, b, output, count, 0, 0);
    } else {
        ek_mve_add_run(l, a, b, output, count, 1, 1);
    }
    return 1;
}

/* --- Sums over positions, for average pools and means ------------------------------------------------------------ */

/* Adds up 16 channels, or the first `channels` of them, of a rectangle of pixels. The other sums are 0. */
EK_INLINE void ek_mve_sum_channels(const int8_t *first, int32_t channels, int32_t rows, int32_t columns,
                                   int32_t row_step, int32_t column_step, int32_t sums[16]) {
    const mve_pred16_t lanes[4] = {vctp32q((uint32_t)channels), vctp32q((uint32_t)(channels > 4 ? channels - 4 : 0)),
                                   vctp32q((uint32_t)(channels > 8 ? channels - 8 : 0)),
                                   vctp32q((uint32_t)(channels > 12 ? channels - 12 : 0))};
    int32x4_t sum0 = vdupq_n_s32(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    for (; rows > 0; rows--, first += row_step) {
        const int8_t *pixel = first;
        if (channels >= 16) {
            for (int32_t left = columns; left > 0; left--, pixel += column_step) {
                sum0 = vaddq_s32(sum0, vldrbq_s32(pixel));
                sum1 = vaddq_s32(sum1, vldrbq_s32(pixel + 4));
                sum2 = vaddq_s32(sum2, vldrbq_s32(pixel + 8));
                sum3 = vaddq_s32(sum3, vldrbq_s32(pixel + 12));
            }
        } else {
            for (int32_t left = columns; left > 0; left--, pixel += column_step) {
                sum0 = vaddq_s32(sum0, vldrbq_z_s32(pixel, lanes[0]));
                sum1 = vaddq_s32(sum1, vldrbq_z_s32(pixel + 4, lanes[1]));
                sum2 = vaddq_s32(sum2, vldrbq_z_s32(pixel + 8, lanes[2]));
                sum3 = vaddq_s32(sum3, vldrbq_z_s32(pixel + 12, lanes[3]));
            }
        }
    }
    vstrwq_s32(sums, sum0);
    vstrwq_s32(sums + 4, sum1);
    vstrwq_s32(sums + 8, sum2);
    vstrwq_s32(sums + 12, sum3);
}

#endif
