/* Does this firmware compute what the reference computes? Every golden vector is one line with PASS or FAIL, the last
 * line sums up, and the exit code is 0 only if no byte differed. A network with state sees the vectors in sequence. */
#include "board.h"
#include "frontend_test.h"
#include "golden.h"
#include "network.h"
#include "print.h"
#include "stack.h"
#include "tensors.h"

static int sizes_match(void) {
    if (input_bytes() == GOLDEN_INPUT_BYTES && output_bytes() == GOLDEN_OUTPUT_BYTES) {
        return 1;
    }
    print("ERROR the golden vectors are not of this network: it takes ");
    print_unsigned(input_bytes());
    print(" bytes and gives ");
    print_unsigned(output_bytes());
    print("\n");
    return 0;
}

static void report_vector(uint32_t vector, uint32_t differing) {
    print("vector ");
    print_unsigned(vector);
    if (differing == 0) {
        print(" PASS\n");
        return;
    }
    print(" FAIL ");
    print_unsigned(differing);
    print(" of ");
    print_unsigned(GOLDEN_OUTPUT_BYTES);
    print(" bytes differ\n");
}

int main(void) {
    stack_paint();
    network_init();
    if (!sizes_match()) {
        return 2;
    }
    uint32_t failed = 0;
    uint32_t mismatches = 0;
    for (uint32_t vector = 0; vector < GOLDEN_VECTORS; vector++) {
        set_inputs(golden_inputs[vector]);
        network_invoke();
        const uint32_t differing = differing_outputs(golden_outputs[vector]);
        report_vector(vector, differing);
        failed += differing != 0;
        mismatches += differing;
    }
    failed += frontend_test();
    if (!stack_limit_intact()) {
        print("ERROR memory behind the static variables was written to: an arena overrun, or too deep a stack\n");
        return 3;
    }
    print_pair("vectors", GOLDEN_VECTORS);
    print_pair("mismatches", mismatches);
    print(failed == 0 ? "PASS\n" : "FAIL\n");
    return failed != 0;
}
