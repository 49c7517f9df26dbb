/* FULLY_CONNECTED in portable C. */
#include "arithmetic.h"

#if defined(EK_PATH_PORTABLE)
#include "portable.h"

void ek_fully_connected(const ek_fully_connected_layer *layer, const int8_t *input, void *scratch, int8_t *output) {
    const int inputs = (int)layer->inputs, outputs = (int)layer->outputs;
    (void)scratch;
    for (int32_t row = 0; row < layer->rows; row++, input += inputs, output += outputs)
        ek_dot_rows(&layer->requantization, input, layer->weights, inputs, outputs, output);
}

#else
typedef int ek_fully_connected_is_elsewhere;
#endif
