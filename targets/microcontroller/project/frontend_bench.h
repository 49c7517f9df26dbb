/* What the frontend costs on the golden audio. */
#ifndef FRONTEND_BENCH_H
#define FRONTEND_BENCH_H

#include <stdint.h>

/* Prints a line "frontend N" for every frame of features; nothing where there is no frontend.
 * `overhead`: what two readings of the clock in a row differ by, in ticks. */
void frontend_bench(uint32_t overhead);

#endif
