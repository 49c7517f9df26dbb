/* Semihosting: text and the exit code travel through the debugger, or the emulator, that runs this firmware.
 * Arm, "Semihosting for AArch32 and AArch64" (2.0), and RISC-V's specification of the same name. Without a debugger
 * attached the call is a fault: replace this file by one that writes to a serial port. */
#include "board.h"

#include <stdint.h>

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };

/* The reason that SYS_EXIT_EXTENDED gives for an ordinary end. */
static const uint32_t application_exit = 0x20026u;

#if defined(__riscv)

static void call(uintptr_t operation, uintptr_t parameter) {
    register uintptr_t a0 __asm__("a0") = operation;
    register uintptr_t a1 __asm__("a1") = parameter;
    /* A debugger knows the call by these three uncompressed instructions, which must not straddle a page. */
    __asm__ volatile(".option push\n .option norvc\n .balign 16\n"
                     "slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n .option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
}

#else

static void call(uintptr_t operation, uintptr_t parameter) {
    register uintptr_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

#endif

void board_write(const char *text) {
    call(SYS_WRITE0, (uintptr_t)text);
}

void board_exit(int code) {
    const uint32_t block[2] = {application_exit, (uint32_t)code};
    call(SYS_EXIT_EXTENDED, (uintptr_t)block);
    for (;;) {
    }
}
