/* What the programs here need from a board: somewhere to write text, and a way to end. semihost.c does it through a
 * debugger or an emulator, host.c on a computer. */
#ifndef BOARD_H
#define BOARD_H

void board_write(const char *text);

/* Ends the program. In an emulator and on a computer `code` becomes the exit code; 0 is success. */
__attribute__((noreturn)) void board_exit(int code);

#endif
