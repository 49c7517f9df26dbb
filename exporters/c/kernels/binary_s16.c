/* ADD, SUB and MUL on int16 values, with broadcasting. */
#include "arithmetic.h"
#include "edgekit.h"

/* Fraction bits that ADD and SUB give both operands before they are brought to one scale. */
enum { HEADROOM = 15 };

EK_INLINE int32_t operand(const ek_operand *o, int16_t value) {
    return ek_scale((int32_t)((uint32_t)value << HEADROOM), o->multiplier, (int)o->shift);
}

EK_INLINE int16_t result(const ek_binary_layer *l, int32_t value) {
    return (int16_t)ek_clamp(ek_scale(value, l->multiplier, (int)l->shift), l->low, l->high);
}

EK_INLINE int16_t add(const ek_binary_layer *l, int16_t a, int16_t b) {
    return result(l, operand(&l->a, a) + operand(&l->b, b));
}

EK_INLINE int16_t sub(const ek_binary_layer *l, int16_t a, int16_t b) {
    return result(l, operand(&l->a, a) - operand(&l->b, b));
}

EK_INLINE int16_t mul(const ek_binary_layer *l, int16_t a, int16_t b) { return result(l, a * b); }

typedef int16_t (*operation)(const ek_binary_layer *layer, int16_t a, int16_t b);

/* Inlined with a constant `apply`, so that each operation has loops of its own. */
EK_INLINE void over_grid(const ek_binary_layer *l, const int16_t *a, const int16_t *b, int16_t *y, operation apply) {
    for (int32_t i = 0; i < l->count[0]; i++)
        for (int32_t j = 0; j < l->count[1]; j++)
            for (int32_t k = 0; k < l->count[2]; k++) {
                const int16_t *p = a + i * l->a.step[0] + j * l->a.step[1] + k * l->a.step[2];
                const int16_t *q = b + i * l->b.step[0] + j * l->b.step[1] + k * l->b.step[2];
                for (int32_t n = l->count[3]; n > 0; n--, p += l->a.step[3], q += l->b.step[3]) *y++ = apply(l, *p, *q);
            }
}

void ek_add_s16(const ek_binary_layer *layer, const int16_t *a, const int16_t *b, int16_t *output) {
    over_grid(layer, a, b, output, add);
}

void ek_sub_s16(const ek_binary_layer *layer, const int16_t *a, const int16_t *b, int16_t *output) {
    over_grid(layer, a, b, output, sub);
}

void ek_mul_s16(const ek_binary_layer *layer, const int16_t *a, const int16_t *b, int16_t *output) {
    over_grid(layer, a, b, output, mul);
}
