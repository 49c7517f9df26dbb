#include "print.h"

#include "board.h"

void print(const char *text) {
    board_write(text);
}

void print_unsigned(uint32_t value) {
    char digits[11]; /* 4294967295 and the end */
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0);
    print(first);
}

void print_signed(int32_t value) {
    if (value < 0) {
        print("-");
    }
    print_unsigned(value < 0 ? 0u - (uint32_t)value : (uint32_t)value);
}

void print_hex(uint32_t value) {
    char digits[9];
    for (int i = 0; i < 8; i++) {
        digits[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
    }
    digits[8] = '\0';
    print(digits);
}

void print_pair(const char *key, uint32_t value) {
    print(key);
    print(" ");
    print_unsigned(value);
    print("\n");
}
