/* Counts of this network on this emulated board, as lines "key value...". Built twice: plain, and with EK_PROFILE,
 * where network_invoke calls ek_layer_begin and ek_layer_end around every layer. */
#include "board.h"
#include "clock.h"
#include "frontend_bench.h"
#include "golden.h"
#include "network.h"
#include "print.h"
#include "stack.h"
#include "tensors.h"

#ifndef BENCH_REPEATS
#define BENCH_REPEATS 3
#endif

/* What two readings in a row differ by, in ticks. */
static uint32_t overhead;

static uint32_t instructions_since(uint32_t start) {
    return clock_instructions(clock_now() - start) - clock_instructions(overhead);
}

#if defined(EK_PROFILE)

void ek_layer_begin(int layer);
void ek_layer_end(int layer);

static uint32_t layer_counts[NETWORK_LAYERS]; /* instructions, one reading included */
static uint32_t layer_start;

/* A barrier for the compiler only: nothing of a layer may move past a reading. */
void ek_layer_begin(int layer) {
    (void)layer;
    layer_start = clock_now();
    __asm__ volatile("" ::: "memory");
}

void ek_layer_end(int layer) {
    __asm__ volatile("" ::: "memory");
    layer_counts[layer] = clock_instructions(clock_now() - layer_start);
}

/* The hooks themselves take part in what they count. */
static uint32_t hook_overhead(void) {
    ek_layer_begin(0);
    ek_layer_end(0);
    return layer_counts[0];
}

static void report_layers(uint32_t hooks) {
    for (int layer = 0; layer < NETWORK_LAYERS; layer++) {
        print("layer ");
        print_unsigned((uint32_t)layer);
        print(" ");
        print_unsigned(layer_counts[layer] - hooks);
        print(" ");
        print(network_layer_names[layer]);
        print("\n");
    }
}

#endif

static uint32_t count_init(void) {
    const uint32_t start = clock_now();
    network_init();
    return instructions_since(start);
}

static uint32_t count_inference(void) {
    const uint32_t start = clock_now();
    network_invoke();
    return instructions_since(start);
}

static uint32_t stack_of_inference(void) {
    stack_paint();
    network_invoke();
    return stack_used();
}

int main(void) {
    clock_start();
    const uint32_t start = clock_now();
    overhead = clock_now() - start;
    print_pair("arena", NETWORK_ARENA_BYTES);
    print_pair("weights", NETWORK_WEIGHT_BYTES);
    print_pair("init", count_init());
    set_inputs(golden_inputs[0]);
    print_pair("stack", stack_of_inference());
    network_init();
#if defined(EK_PROFILE)
    const uint32_t hooks = hook_overhead();
#endif
    for (uint32_t repeat = 0; repeat < BENCH_REPEATS; repeat++) {
        set_inputs(golden_inputs[repeat % GOLDEN_VECTORS]);
        print_pair("inference", count_inference());
#if defined(EK_PROFILE)
        report_layers(hooks);
#endif
    }
    if (!stack_limit_intact()) {
        print("ERROR memory behind the static variables was written to: an arena overrun, or too deep a stack\n");
        return 3;
    }
    frontend_bench(overhead);
    return 0;
}
