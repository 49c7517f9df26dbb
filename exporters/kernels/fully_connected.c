/* FULLY_CONNECTED in portable C. */
#include "arithmetic.h"
#include "edgekit.h"

#if defined(EK_PATH_PORTABLE)

void ek_fully_connected(const ek_fully_connected_layer *layer, const int8_t *input, void *scratch, int8_t *output) {
    const ek_requantization *const q = &layer->requantization;
    (void)scratch;
    for (int32_t row = 0; row < layer->rows; row++, input += layer->inputs) {
        const int8_t *w = layer->weights;
        for (int32_t o = 0; o < layer->outputs; o++) {
            int32_t sum = q->bias[o];
            for (int32_t k = 0; k < layer->inputs; k++) sum += input[k] * *w++;
            const int32_t scaled = ek_scale(sum, q->multiplier[o], q->shift[o]) + q->zero_point;
            *output++ = (int8_t)ek_clamp(scaled, q->low, q->high);
        }
    }
}

#else
typedef int ek_fully_connected_is_elsewhere;
#endif
