#include "tensors.h"

#include "network.h"

#include <string.h>

uint32_t input_bytes(void) {
    uint32_t bytes = 0;
    for (int i = 0; i < NETWORK_INPUTS; i++) {
        bytes += network_input(i).bytes;
    }
    return bytes;
}

uint32_t output_bytes(void) {
    uint32_t bytes = 0;
    for (int i = 0; i < NETWORK_OUTPUTS; i++) {
        bytes += network_output(i).bytes;
    }
    return bytes;
}

void set_inputs(const uint8_t *bytes) {
    for (int i = 0; i < NETWORK_INPUTS; i++) {
        const ek_tensor tensor = network_input(i);
        memcpy(tensor.data, bytes, tensor.bytes);
        bytes += tensor.bytes;
    }
}

uint32_t differing_outputs(const uint8_t *expected) {
    uint32_t differing = 0;
    for (int i = 0; i < NETWORK_OUTPUTS; i++) {
        const ek_tensor tensor = network_output(i);
        const uint8_t *actual = tensor.data;
        for (uint32_t k = 0; k < tensor.bytes; k++) {
            differing += actual[k] != expected[k];
        }
        expected += tensor.bytes;
    }
    return differing;
}
