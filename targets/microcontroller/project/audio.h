/* Where sound comes from. On your board, replace audio_golden.c by a file that reads the microphone. */
#ifndef AUDIO_H
#define AUDIO_H

#include <stddef.h>
#include <stdint.h>

/* Waits for up to `count` samples (int16, mono, 16 kHz) and returns how many there were; 0 when there will be none. */
size_t audio_read(int16_t *samples, size_t count);

#endif
