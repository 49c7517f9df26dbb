/* From reset to main on an Arm Cortex-M: vector table, memory, floating point unit, and a fault handler that says what
 * happened. The symbols come from sections.ld. */
#include "board.h"
#include "print.h"

#include <stdint.h>

extern uint32_t ek_stack_top[], ek_data_start[], ek_data_end[], ek_data_source[], ek_bss_start[], ek_bss_end[];

int main(void);
void reset(void);
void fault(void);
void report_fault(const uint32_t *frame);

/* Registers of the system control block (Armv7-M and Armv8-M manuals, B3.2). */
#define SCB_CFSR (*(volatile uint32_t *)0xE000ED28u)
#define SCB_HFSR (*(volatile uint32_t *)0xE000ED2Cu)
#define SCB_CPACR (*(volatile uint32_t *)0xE000ED88u)

/* Registers of the memory protection unit (the same manuals, B3.5). */
#define MPU_CONTROL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_REGION (*(volatile uint32_t *)0xE000ED98u)
#define MPU_BASE (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_LIMIT (*(volatile uint32_t *)0xE000EDA0u) /* Armv7-M: attributes and size */

/* The first sixteen entries are the processor's own. No interrupt is ever enabled here. */
__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    ek_stack_top,
    (void *)reset,
    [2 ... 6] = (void *)fault, /* non-maskable, hard, memory, bus, usage */
    [11] = (void *)fault,      /* supervisor call */
    [14] = (void *)fault,      /* pending supervisor call */
    [15] = (void *)fault,      /* system tick */
};

/* What stands for flash on the emulated boards can be written. On silicon a write there, such as one through a null
 * pointer, is a fault, and so it shall be here: everything below the RAM becomes read-only. */
static void protect_flash(void) {
    MPU_REGION = 0;
#if __ARM_ARCH >= 8
    MPU_BASE = 0x00000000u | (3u << 1); /* read-only */
    MPU_LIMIT = 0x1FFFFFE0u | 1u;       /* enabled */
#else
    MPU_BASE = 0x00000000u;
    MPU_LIMIT = (6u << 24) | (28u << 1) | 1u; /* read-only, 2^29 bytes, enabled */
#endif
    MPU_CONTROL = (1u << 2) | 1u; /* enabled; elsewhere the default map holds */
    __asm__ volatile("dsb\n isb" ::: "memory");
}

void reset(void) {
#if defined(__ARM_FP) || (defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE)
    SCB_CPACR |= 0xFu << 20; /* coprocessors 10 and 11: floating point and Helium. Before any code that uses them. */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    protect_flash();
    const uint32_t *source = ek_data_source;
    for (uint32_t *word = ek_data_start; word < ek_data_end; word++) {
        *word = *source++;
    }
    for (uint32_t *word = ek_bss_start; word < ek_bss_end; word++) {
        *word = 0;
    }
    board_exit(main());
}

/* The stack may be unusable by now, so start it afresh; `frame` is what the processor pushed. */
__attribute__((naked)) void fault(void) {
    __asm__ volatile("mrs r0, msp\n"
                     "ldr r1, =ek_stack_top\n"
                     "mov sp, r1\n"
                     "b report_fault\n"
                     ".ltorg");
}

__attribute__((used)) void report_fault(const uint32_t *frame) {
    print("FAULT cfsr ");
    print_hex(SCB_CFSR);
    print(" hfsr ");
    print_hex(SCB_HFSR);
    print(" pc ");
    print_hex(frame[6]);
    print("\n");
    board_exit(99);
}
