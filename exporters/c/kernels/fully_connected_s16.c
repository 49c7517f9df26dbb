/* FULLY_CONNECTED on int16 values. */
#include "portable_s16.h"

void ek_fully_connected_s16(
    const ek_fully_connected_layer *layer, const int64_t *bias, const int16_t *input, int16_t *output
) {
    const int inputs = (int)layer->inputs, outputs = (int)layer->outputs;
    for (int32_t row = 0; row < layer->rows; row++, input += inputs, output += outputs)
        ek_dot_rows_s16(&layer->requantization, bias, input, layer->weights, inputs, outputs, output);
}
