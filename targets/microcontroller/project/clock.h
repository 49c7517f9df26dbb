/* A clock that counts instructions.
 *
 * Emulators have no cycles. Under QEMU's -icount every instruction takes the same virtual time, so that a timer of the
 * emulated board counts them: boards/NAME.flags says which timer, and boards/NAME.qemu how long an instruction takes.
 * It is long enough for every difference to be the ticks of one number of instructions only: the counts are exact.
 * On silicon they mean nothing; use the chip's cycle counter there. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

void clock_start(void);

/* Ticks since an arbitrary moment, wrapping; they last for 10^9 instructions. */
uint32_t clock_now(void);

/* How many instructions take this many ticks. */
uint32_t clock_instructions(uint32_t ticks);

#endif
