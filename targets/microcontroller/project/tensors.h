/* All inputs, or all outputs, of the network as one run of bytes, in the order of their indices. */
#ifndef TENSORS_H
#define TENSORS_H

#include <stdint.h>

uint32_t input_bytes(void);
uint32_t output_bytes(void);

void set_inputs(const uint8_t *bytes);

/* How many bytes of the outputs are not these. */
uint32_t differing_outputs(const uint8_t *expected);

#endif
