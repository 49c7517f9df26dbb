/* The golden data that this bundle was made with: golden_vectors.h, and golden_audio.h where there is sound. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdint.h>

/* The emulated boards have a memory of its own for it (boards/sections.ld). */
#if defined(EK_HOST)
#define GOLDEN_DATA
#else
#define GOLDEN_DATA __attribute__((section(".golden")))
#endif

#include <golden_vectors.h> /* in brackets: a folder that is searched earlier may bring other ones */

#if __has_include(<golden_audio.h>)
#include <golden_audio.h>
#endif

#endif
