/* A checksum of every layer's output, to find the first layer that computes something else than elsewhere.
 * A network built with EK_TRACE calls this. */
#include "print.h"

void ek_layer_trace(int layer, const void *output, uint32_t bytes);

/* FNV-1a in 32 bits. */
static uint32_t checksum(const uint8_t *byte, uint32_t count) {
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ byte[i]) * 16777619u;
    }
    return hash;
}

void ek_layer_trace(int layer, const void *output, uint32_t bytes) {
    print("trace ");
    print_unsigned((uint32_t)layer);
    print(" ");
    print_hex(checksum(output, bytes));
    print("\n");
}
