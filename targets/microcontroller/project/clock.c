#include "clock.h"

#if defined(EK_CLOCK_CMSDK)

/* CMSDK APB timer 0 of Arm's MPS2 boards: counts down at 25 MHz, 40 ns a tick. With -icount shift=7 an instruction
 * takes 128 ns: 3.2 ticks. */
#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008u)

void clock_start(void) {
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CONTROL = 1u;
}

uint32_t clock_now(void) {
    return 0xFFFFFFFFu - TIMER_VALUE;
}

uint32_t clock_instructions(uint32_t ticks) {
    return (uint32_t)(((uint64_t)ticks * 5u + 8u) / 16u);
}

#elif defined(EK_CLOCK_SSE)

/* The system counter of Arm's SSE-300 (MPS3 AN547): counts up at 32 MHz, 31.25 ns a tick. With -icount shift=7 an
 * instruction takes 128 ns: 4.096 ticks. */
#define COUNTER_CONTROL (*(volatile uint32_t *)0x58100000u)
#define COUNTER_LOW (*(volatile uint32_t *)0x58100008u)

void clock_start(void) {
    COUNTER_CONTROL = 1u;
}

uint32_t clock_now(void) {
    return COUNTER_LOW;
}

uint32_t clock_instructions(uint32_t ticks) {
    return (uint32_t)(((uint64_t)ticks * 125u + 256u) / 512u);
}

#else

/* RISC-V's counter of retired instructions, exact with -icount shift=0. On a computer nothing is counted. */
void clock_start(void) {
}

uint32_t clock_now(void) {
    uint32_t count = 0;
#if defined(EK_CLOCK_MINSTRET)
    __asm__ volatile("csrr %0, minstret" : "=r"(count));
#endif
    return count;
}

uint32_t clock_instructions(uint32_t ticks) {
    return ticks;
}

#endif
