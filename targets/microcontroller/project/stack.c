#include "stack.h"

#if defined(EK_HOST)

void stack_paint(void) {
}

uint32_t stack_used(void) {
    return 0;
}

int stack_limit_intact(void) {
    return 1;
}

#else

/* The stack grows down from the end of memory towards the end of .bss (sections.ld). */
extern uint32_t ek_stack_limit[];

static const uint32_t paint = 0xDEADBEEFu;

/* Both functions are leaves without a frame, so that their stack pointer is the caller's. */
static uint32_t *stack_pointer(void) {
    uint32_t *pointer;
#if defined(__riscv)
    __asm__ volatile("mv %0, sp" : "=r"(pointer));
#else
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
#endif
    return pointer;
}

__attribute__((noinline)) void stack_paint(void) {
    uint32_t *const end = stack_pointer();
    for (volatile uint32_t *word = ek_stack_limit; word < end; word++) {
        *word = paint;
    }
}

__attribute__((noinline)) uint32_t stack_used(void) {
    uint32_t *const end = stack_pointer();
    const volatile uint32_t *word = ek_stack_limit;
    while (word < end && *word == paint) {
        word++;
    }
    return (uint32_t)(end - word) * sizeof(uint32_t);
}

int stack_limit_intact(void) {
    enum { WORDS = 64 };
    for (int i = 0; i < WORDS; i++) {
        if (((const volatile uint32_t *)ek_stack_limit)[i] != paint) {
            return 0;
        }
    }
    return 1;
}

#endif
