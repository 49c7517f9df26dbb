/* Text without printf, which would bring 20 KB of C library. */
#ifndef PRINT_H
#define PRINT_H

#include <stdint.h>

void print(const char *text);
void print_unsigned(uint32_t value);
void print_signed(int32_t value);
void print_hex(uint32_t value); /* eight digits */

/* One line "key value". */
void print_pair(const char *key, uint32_t value);

#endif
