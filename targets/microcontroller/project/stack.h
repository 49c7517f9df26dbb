/* How much stack a call needs: paint what is free, make the call, see how far down the paint is gone. */
#ifndef STACK_H
#define STACK_H

#include <stdint.h>

void stack_paint(void);

/* Whether the memory right behind the static variables still has its paint: a write past the end of the arena ruins it,
 * and so does a stack that is too deep. Always 1 on a computer. */
int stack_limit_intact(void);

/* Bytes that were used below the caller's frame since stack_paint() in the same function; 0 on a computer. */
uint32_t stack_used(void);

#endif
