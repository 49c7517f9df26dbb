/* ADD, SUB and MUL, with broadcasting. */
#include "arithmetic.h"
#include "edgekit.h"
#if defined(EK_PATH_MVE)
#include "mve.h"
#elif defined(EK_PATH_DSP)
#include "dsp.h"
#endif

/* Fraction bits that ADD and SUB give both operands before they are brought to one scale. */
enum { HEADROOM = 20 };

EK_INLINE int32_t operand(const ek_operand *o, int8_t value) {
    const int32_t wide = (int32_t)((uint32_t)(value + o->offset) << HEADROOM);
    return ek_scale(wide, o->multiplier, (int)o->shift);
}

EK_INLINE int8_t result(const ek_binary_layer *l, int32_t value) {
    const int32_t scaled = ek_scale(value, l->multiplier, (int)l->shift) + l->zero_point;
    return (int8_t)ek_clamp(scaled, l->low, l->high);
}

EK_INLINE int8_t add(const ek_binary_layer *l, int8_t a, int8_t b) {
    return result(l, operand(&l->a, a) + operand(&l->b, b));
}

EK_INLINE int8_t sub(const ek_binary_layer *l, int8_t a, int8_t b) {
    return result(l, operand(&l->a, a) - operand(&l->b, b));
}

EK_INLINE int8_t mul(const ek_binary_layer *l, int8_t a, int8_t b) {
    return result(l, (a + l->a.offset) * (b + l->b.offset));
}

/* What scales a value by a layer's constant: `ek_scale` for a shift of 0 or to the right, with all that does not change
 * from value to value worked out before. */
typedef struct {
    int32_t multiplier, half, mask;
    int right;
} scaling;

static scaling scaling_of(int32_t multiplier, int32_t shift) {
    const scaling s = {multiplier, shift < 0 ? (int32_t)(1u << (-shift - 1)) : 0, shift < 0 ? -1 : 0, (int)-shift};
    return s;
}

EK_INLINE int32_t scaled(const scaling *s, int32_t x) {
#if defined(EK_PATH_DSP)
    /* x + x * (2m - 2^32) / 2^32, rounded: one instruction. */
    const int32_t h = ek_smmlar(x, (int32_t)((uint32_t)s->multiplier << 1), x);
#else
    const int32_t h = ek_doubling_high_multiply(x, s->multiplier);
#endif
    return (h + ((h >> 31) & s->mask) + s->half) >> s->right;
}

/* ADD (sign 1) or SUB (sign -1) where nothing is broadcast and no scale grows: about 25 instructions a value with the
 * DSP extension, a third of what the grid takes. Returns 0, and has done nothing, for other layers. */
EK_INLINE int over_row(const ek_binary_layer *l, const int8_t *a, const int8_t *b, int8_t *y, int32_t sign) {
    const int32_t whole = l->count[0] * l->count[1] * l->count[2];
    if (whole != 1 || l->a.step[3] != 1 || l->b.step[3] != 1) return 0;
    if (l->a.shift > 0 || l->b.shift > 0 || l->shift > 0 || l->a.shift < -30 || l->b.shift < -30 || l->shift < -30) return 0;
    const scaling of_a = scaling_of(l->a.multiplier, l->a.shift), of_b = scaling_of(l->b.multiplier, l->b.shift);
    const scaling of_sum = scaling_of(l->multiplier, l->shift);
    const int32_t offset_a = l->a.offset, offset_b = l->b.offset, zero = l->zero_point, low = l->low, high = l->high;
    for (int32_t n = l->count[3]; n > 0; n--) {
        const int32_t left = scaled(&of_a, (int32_t)((uint32_t)(*a++ + offset_a) << HEADROOM));
        const int32_t right = scaled(&of_b, (int32_t)((uint32_t)(*b++ + offset_b) << HEADROOM));
        *y++ = (int8_t)ek_clamp(scaled(&of_sum, left + sign * right) + zero, low, high);
    }
    return 1;
}

typedef int8_t (*operation)(const ek_binary_layer *layer, int8_t a, int8_t b);

/* Inlined with a constant `apply`, so that each operation has loops of its own. */
EK_INLINE void over_grid(const ek_binary_layer *l, const int8_t *a, const int8_t *b, int8_t *y, operation apply) {
    for (int32_t i = 0; i < l->count[0]; i++)
        for (int32_t j = 0; j < l->count[1]; j++)
            for (int32_t k = 0; k < l->count[2]; k++) {
                const int8_t *p = a + i * l->a.step[0] + j * l->a.step[1] + k * l->a.step[2];
                const int8_t *q = b + i * l->b.step[0] + j * l->b.step[1] + k * l->b.step[2];
                for (int32_t n = l->count[3]; n > 0; n--, p += l->a.step[3], q += l->b.step[3]) *y++ = apply(l, *p, *q);
            }
}

void ek_add(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output) {
#if defined(EK_PATH_MVE)
    if (ek_mve_add(layer, a, b, output)) return;
#endif
    if (over_row(layer, a, b, output, 1)) return;
    over_grid(layer, a, b, output, add);
}

void ek_sub(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output) {
    if (over_row(layer, a, b, output, -1)) return;
    over_grid(layer, a, b, output, sub);
}

void ek_mul(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output) {
    over_grid(layer, a, b, output, mul);
}
