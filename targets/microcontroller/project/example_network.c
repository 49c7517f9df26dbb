/* An example to start from: one inference on the first golden input, and the values that come out. */
#include "golden.h"
#include "network.h"
#include "print.h"
#include "tensors.h"

static int32_t value_at(const ek_tensor *tensor, uint32_t index) {
    switch (tensor->type) {
    case EK_INT8:
        return ((const int8_t *)tensor->data)[index];
    case EK_INT16:
        return ((const int16_t *)tensor->data)[index];
    default:
        return ((const uint8_t *)tensor->data)[index];
    }
}

int main(void) {
    network_init();
    set_inputs(golden_inputs[0]);
    network_invoke();
    const ek_tensor output = network_output(0);
    const uint32_t values = output.type == EK_INT16 ? output.bytes / 2u : output.bytes;
    for (uint32_t i = 0; i < values; i++) {
        print_unsigned(i);
        print(": ");
        print_signed(value_at(&output, i));
        print("\n");
    }
    return 0;
}
