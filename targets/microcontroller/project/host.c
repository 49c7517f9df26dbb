/* The board that is this computer. */
#include "board.h"

#include <stdio.h>
#include <stdlib.h>

void board_write(const char *text) {
    fputs(text, stdout);
}

void board_exit(int code) {
    fflush(stdout);
    exit(code);
}
