/* ADD, SUB and MUL, with broadcasting. */
#include "arithmetic.h"
#include "edgekit.h"
#if defined(EK_PATH_MVE)
#include "mve.h"
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
    over_grid(layer, a, b, output, add);
}

void ek_sub(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output) {
    over_grid(layer, a, b, output, sub);
}

void ek_mul(const ek_binary_layer *layer, const int8_t *a, const int8_t *b, int8_t *output) {
    over_grid(layer, a, b, output, mul);
}
