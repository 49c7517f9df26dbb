/* From reset to main on a 32-bit RISC-V core in machine mode: stack, memory, and a trap handler that says what
 * happened. The symbols come from sections.ld. */
#include "board.h"
#include "print.h"

#include <stdint.h>

extern uint32_t ek_data_start[], ek_data_end[], ek_data_source[], ek_bss_start[], ek_bss_end[];

int main(void);
void start_c(void);
void report_trap(void);

__attribute__((naked, section(".vectors"), used)) void reset(void) {
    __asm__ volatile(".option push\n .option norelax\n la gp, __global_pointer$\n .option pop\n"
                     "la sp, ek_stack_top\n"
                     "la t0, trap\n"
                     "csrw mtvec, t0\n"
                     "j start_c");
}

/* The address must be a multiple of four: the low bits of mtvec choose the mode. The stack is started afresh. */
__attribute__((naked, aligned(4), used)) void trap(void) {
    __asm__ volatile("la sp, ek_stack_top\n"
                     "j report_trap");
}

__attribute__((used)) void start_c(void) {
    const uint32_t *source = ek_data_source;
    for (uint32_t *word = ek_data_start; word < ek_data_end; word++) {
        *word = *source++;
    }
    for (uint32_t *word = ek_bss_start; word < ek_bss_end; word++) {
        *word = 0;
    }
    board_exit(main());
}

__attribute__((used)) void report_trap(void) {
    uint32_t cause, address;
    __asm__ volatile("csrr %0, mcause" : "=r"(cause));
    __asm__ volatile("csrr %0, mepc" : "=r"(address));
    print("FAULT mcause ");
    print_hex(cause);
    print(" pc ");
    print_hex(address);
    print("\n");
    board_exit(99);
}
