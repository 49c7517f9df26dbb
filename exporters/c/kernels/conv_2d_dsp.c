/* CONV_2D with the DSP extension: blocks of 3 output pixels by 2 output channels.
 *
 * The patches of 3 pixels are unpacked to 16 bits once, side by side, for all channels. For 4 values of a patch the
 * inner loop then takes 17 instructions, 12 of them SMLAD, for 24 multiply-adds: 0.71 each. Pointwise convolutions and
 * inner pixels read their patches where they are; others gather them first. In place a pointwise layer may shrink its
 * input: a block is unpacked before its outputs are written. */
#include "arithmetic.h"
#if defined(EK_PATH_DSP)
#include "dsp.h"

enum { PIXELS = 3, UNROLLED = 8 };

/* 3 patches against all pairs of channels. A unit is 4 values of the patch. The assembly knows the order of members. */
typedef struct {
    int32_t zero_point;
    int8_t *output;          /* channel 0 of the first pixel */
    int32_t step1, step2;    /* from there to the second and the third pixel */
    int8_t *end;             /* output + number of channels, even */
    const uint32_t *patches; /* per unit: values 0 and 2 of each pixel, values 1 and 3 of each pixel */
    int32_t trips, first;    /* of the unrolled loop over all units but one; units in its first trip */
    const int32_t *weights;
} block;

#if defined(EK_DSP_INSTRUCTIONS)
/* Registers: r0 patches, r1 weights, r2 trips left, r3 r4 two words of weights, r5 r6 r7 values of the pixels;
 * r8 r9 r10 sums of both channels (256 * second + first), r11 r12 lr sums of the first channel. Stack: the members. */
#define HALF_UNIT(w) \
    "ldm.w r0!, {r5, r6, r7}\n" \
    "smlad r8, " w ", r5, r8\n smlad r9, " w ", r6, r9\n smlad r10, " w ", r7, r10\n" \
    "sxtb16.w " w ", " w "\n" \
    "smlad r11, " w ", r5, r11\n smlad r12, " w ", r6, r12\n smlad lr, " w ", r7, lr\n"
#define UNIT "ldrd r3, r4, [r1], #8\n" HALF_UNIT("r3") HALF_UNIT("r4")
/* Likewise, but starts the sums from the biases in r8 and r11. */
#define FIRST_UNIT \
    "ldrd r3, r4, [r1], #8\n" \
    "ldm.w r0!, {r5, r6, r7}\n" \
    "smlad r9, r3, r6, r8\n smlad r10, r3, r7, r8\n smlad r8, r3, r5, r8\n" \
    "sxtb16.w r3, r3\n" \
    "smlad r12, r3, r6, r11\n smlad lr, r3, r7, r11\n smlad r11, r3, r5, r11\n" HALF_UNIT("r4")

EK_ASSEMBLY void run_block(const block *b EK_UNUSED) {
    __asm__(
        "push {r4-r11, lr}\n"
        "sub sp, #32\n"
        "ldm r0!, {r1-r8}\n"
        "adr.w r9, 3f\n" /* the place in the loop from which `first` units are left */
        "mov r10, #68\n" /* bytes of a unit */
        "mls r8, r8, r10, r9\n"
        "orr r8, #1\n"
        "stm sp, {r1-r8}\n"
        "ldr r1, [r0]\n"
        "1:\n" /* a pair of channels: 38 instructions beside its units */
        "ldrd r0, r2, [sp, #20]\n"
        "ldm.w r1!, {r8, r11}\n" FIRST_UNIT
        "ldr pc, [sp, #28]\n"
        ".balign 4\n"
        "2:\n" UNIT UNIT UNIT UNIT UNIT UNIT UNIT UNIT
        "3:\n"
        "subs r2, #1\n"
        "bne 2b\n"
        "sub r8, r8, r11\n sub r9, r9, r12\n sub r10, r10, lr\n"
        "asr r8, r8, #8\n asr r9, r9, #8\n asr r10, r10, #8\n"
        "ldm r1!, {r3-r6}\n" /* multipliers, factors */
        "smmlar r11, r11, r3, r11\n smmlar r12, r12, r3, r12\n smmlar lr, lr, r3, lr\n"
        "smmlar r8, r8, r4, r8\n smmlar r9, r9, r4, r9\n smmlar r10, r10, r4, r10\n"
        "ldm sp, {r0, r2, r3, r4, r7}\n" /* zero point, output, steps, end */
        "smmlar r11, r11, r5, r0\n smmlar r12, r12, r5, r0\n smmlar lr, lr, r5, r0\n"
        "smmlar r8, r8, r6, r0\n smmlar r9, r9, r6, r0\n smmlar r10, r10, r6, r0\n"
        "ssat r11, #8, r11\n ssat r12, #8, r12\n ssat lr, #8, lr\n"
        "ssat r8, #8, r8\n ssat r9, #8, r9\n ssat r10, #8, r10\n"
        "bfi r11, r8, #8, #8\n bfi r12, r9, #8, #8\n bfi lr, r10, #8, #8\n"
        "strh r12, [r2, r3]\n"
        "strh lr, [r2, r4]\n"
        "strh r11, [r2], #2\n"
        "str r2, [sp, #4]\n"
        "cmp r2, r7\n"
        "bne 1b\n"
        "add sp, #32\n"
        "pop {r4-r11, pc}\n");
}
#endif

/* A pair of channels and 3 pixels, in plain C: 15 instructions for 12 multiply-adds in the general layout. */
EK_INLINE void run_pair(const block *b, const int32_t *pair, int units, int pixels, int channel, int count, int fast) {
    const int32_t steps[PIXELS] = {0, b->step1, b->step2}, *words = pair + 2, *constants = words + 2 * units;
    const int32_t second = fast ? ek_wrapping_add(pair[0], -pair[1]) / 256 : pair[0];
    int32_t a0 = pair[1], a1 = a0, a2 = a0, b0 = second, b1 = b0, b2 = b0;
    const uint32_t *values = b->patches;
    for (; words < constants; ++words, values += PIXELS) {
        const uint32_t x0 = values[0], x1 = values[1], x2 = values[2];
        const uint32_t first = ek_first_channel((uint32_t)*words);
        const uint32_t other = ek_second_channel((uint32_t)*words, fast);
        a0 = ek_smlad(first, x0, a0), a1 = ek_smlad(first, x1, a1), a2 = ek_smlad(first, x2, a2);
        b0 = ek_smlad(other, x0, b0), b1 = ek_smlad(other, x1, b1), b2 = ek_smlad(other, x2, b2);
    }
    const int32_t sums[2][PIXELS] = {{a0, a1, a2}, {b0, b1, b2}};
    for (int i = 0; i < count; ++i)
        for (int p = 0; p < pixels; ++p)
            b->output[steps[p] + channel + i] =
                ek_requantize(sums[i][p], constants[i], constants[2 + i], b->zero_point);
}

/* Channels from `begin`, even, to `end`, any requantization. */
static __attribute__((noinline)) void run_plainly(const block *b, int units, int pixels, int begin, int end, int fast) {
    const int32_t *pair = b->weights + (size_t)(begin / 2) * (size_t)(2 * units + 6);
    for (int channel = begin; channel < end; channel += 2, pair += 2 * units + 6) {
        const int count = end - channel < 2 ? 1 : 2;
        if (fast)
            run_pair(b, pair, units, pixels, channel, count, 1);
        else
            run_pair(b, pair, units, pixels, channel, count, 0);
    }
}

/* `units` times 4 bytes of each of 3 pixels, unpacked: 12 instructions for 12 values. Returns the end of `to`. */
#if defined(EK_DSP_INSTRUCTIONS)
EK_ASSEMBLY uint32_t *unpack(uint32_t *to EK_UNUSED, const int8_t *const from[PIXELS] EK_UNUSED, int units EK_UNUSED) {
    __asm__(
        "push {r4-r10, lr}\n"
        "ldm r1, {r1, r3, r12}\n"
        "1:\n"
        "ldr r4, [r1], #4\n ldr r5, [r3], #4\n ldr r6, [r12], #4\n"
        "sxtb16 r7, r4, ror #8\n sxtb16 r8, r5, ror #8\n sxtb16 r9, r6, ror #8\n"
        "sxtb16 r4, r4\n sxtb16 r5, r5\n sxtb16 r6, r6\n"
        "stm r0!, {r4-r9}\n"
        "subs r2, #1\n"
        "bne 1b\n"
        "pop {r4-r10, pc}\n");
}
#else
static uint32_t *unpack(uint32_t *to, const int8_t *const from[PIXELS], int units) {
    for (int i = 0; i < units; ++i, to += 2 * PIXELS)
        for (int p = 0; p < PIXELS; ++p) {
            const uint32_t bytes = ek_load_u32(from[p] + 4 * i);
            to[p] = ek_sxtb16(bytes);
            to[PIXELS + p] = ek_sxtb16_odd(bytes);
        }
    return to;
}
#endif

/* memcpy for a few bytes, without a call. */
EK_INLINE void copy_bytes(int8_t *to, const int8_t *from, int count) {
    for (; count >= 4; count -= 4, to += 4, from += 4) ek_store_u32(to, ek_load_u32(from));
    for (; count > 0; --count) *to++ = *from++;
}

EK_INLINE void fill_bytes(int8_t *to, int32_t value, int count) {
    for (; count > 0; --count) *to++ = (int8_t)value;
}

/* Where the next output pixel's patch begins in the input, and what is known of all patches. */
typedef struct {
    int x, y, place;             /* column, row, and offset in bytes */
    int past_x;                  /* x of the patch after an output row's last */
    unsigned columns, places;    /* where a dense patch is inside of the input: x and y are below these */
    int step, last_place;        /* from a place to the next; of the last patch of which 3 more bytes may be read */
    int rows, bytes, pitch;      /* of a patch; bytes in a row of it, and of the input */
} walk;

static walk start_walk(const ek_conv_2d_layer *l) {
    const int rows = l->kernel_height, bytes = l->kernel_width * l->input_channels;
    const int pitch = l->input_width * l->input_channels;
    const int dense = (l->dilation_height == 1 || rows == 1) && (l->dilation_width == 1 || l->kernel_width == 1);
    const int columns = l->input_width - l->kernel_width + 1, places = l->input_height - rows + 1;
    const walk w = {-l->pad_left, -l->pad_top, -l->pad_top * pitch - l->pad_left * l->input_channels,
                    l->output_width * l->stride_width - l->pad_left,
                    dense && columns > 0 && places > 0 ? (unsigned)columns : 0, (unsigned)(places > 0 ? places : 0),
                    l->stride_width * l->input_channels, places * pitch - bytes - 3, rows, bytes, pitch};
    return w;
}

/* Copies the patch at (x, y), which is partly outside of the input, with the zero point for what is outside. */
static __attribute__((noinline)) void gather_patch(const ek_conv_2d_layer *l, const int8_t *input, int x, int y0,
                                                   int8_t *to) {
    const int channels = l->input_channels, row = l->kernel_width * channels, pitch = l->input_width * channels;
    const int run = l->dilation_width == 1 ? l->kernel_width : 1; /* taps side by side */
    const int32_t outside = l->input_zero_point;
    for (int j = 0; j < l->kernel_width; j += run, x += l->dilation_width, to += run * channels) {
        const int bytes = run * channels, begin = ek_clamp(-x, 0, run) * channels;
        const int end = ek_clamp(l->input_width - x, begin / channels, run) * channels;
        int8_t *target = to;
        int place = y0 * pitch + x * channels;
        for (int i = 0, y = y0; i < l->kernel_height; ++i, y += l->dilation_height, target += row) {
            const int inside = y >= 0 && y < l->input_height;
            fill_bytes(target, outside, inside ? begin : bytes);
            if (inside) {
                copy_bytes(target + begin, input + place + begin, end - begin);
                fill_bytes(target + end, outside, bytes - end);
            }
            place += l->dilation_height * pitch;
        }
    }
}

/* Copies a patch that is inside of the input. Up to 3 bytes more are read and written. */
static __attribute__((noinline)) void gather_rows(const int8_t *from, int8_t *to, int rows, int bytes, int pitch) {
    if (bytes > 8 && bytes <= 12) { /* 3x3 of three channels, the usual first layer */
        for (; rows > 0; --rows, from += pitch, to += bytes) {
            const uint32_t a = ek_load_u32(from), b = ek_load_u32(from + 4), c = ek_load_u32(from + 8);
            ek_store_u32(to, a);
            ek_store_u32(to + 4, b);
            ek_store_u32(to + 8, c);
        }
        return;
    }
    for (; rows > 0; --rows, from += pitch, to += bytes)
        for (int k = 0; k < bytes; k += 4) ek_store_u32(to + k, ek_load_u32(from + k));
}

/* The next pixel's patch: in the input itself, or copied to `spare`. Its rows' distance goes to `pitch`. */
EK_INLINE const int8_t *next_patch(const ek_conv_2d_layer *l, const int8_t *input, walk *w, int8_t *spare, int *pitch) {
    const int x = w->x, y = w->y, place = w->place;
    w->x += l->stride_width;
    w->place += w->step;
    if (w->x == w->past_x) {
        w->x = -l->pad_left;
        w->y += l->stride_height;
        w->place = w->y * w->pitch + w->x * l->input_channels;
    }
    *pitch = w->bytes;
    if ((unsigned)x < w->columns && (unsigned)y < w->places) {
        if (w->bytes % 4 == 0) {
            *pitch = w->pitch;
            return input + place;
        }
        if (place <= w->last_place) {
            gather_rows(input + place, spare, w->rows, w->bytes, w->pitch);
            return spare;
        }
    }
    gather_patch(l, input, x, y, spare);
    return spare;
}

/* The next patches, unpacked at `patches`; of the last of `pixels` several times if there are fewer than 3. `spare` is
 * room for 3 patches as bytes. */
static void unpack_patches(const ek_conv_2d_layer *l, const int8_t *input, walk *w, int pixels, uint32_t *patches,
                           int8_t *spare) {
    const int units = (w->rows * w->bytes + 3) / 4;
    const int8_t *from[PIXELS];
    int pitches[PIXELS];
    for (int p = 0; p < PIXELS; ++p, spare += 4 * units) {
        if (p < pixels) {
            from[p] = next_patch(l, input, w, spare, &pitches[p]);
        } else {
            from[p] = from[p - 1];
            pitches[p] = pitches[p - 1];
        }
    }
    if (w->bytes % 4) {
        unpack(patches, from, units);
        return;
    }
    for (int i = 0; i < w->rows; ++i) {
        patches = unpack(patches, from, w->bytes / 4);
        for (int p = 0; p < PIXELS; ++p) from[p] += pitches[p];
    }
}

static void run(block *b, int units, int pixels, int channels, int fast) {
    int begin = 0;
#if defined(EK_DSP_INSTRUCTIONS)
    begin = fast ? channels & ~1 : 0;
    b->end = b->output + begin;
    if (begin) run_block(b);
#endif
    if (EK_TAKES(EK_WAY_CONV_PLAIN) && begin < channels) run_plainly(b, units, pixels, begin, channels, fast);
}

void ek_conv_2d(const ek_conv_2d_layer *l, const int8_t *input, void *scratch, int8_t *output) {
    const int channels = l->output_channels, count = l->output_height * l->output_width;
    const int units = (l->kernel_height * l->kernel_width * l->input_channels + 3) / 4;
    const int in_a_row = l->kernel_height * l->kernel_width * l->stride_height * l->stride_width == 1
                         && l->input_channels % 4 == 0 && l->input_width == l->output_width;
    const int fast = *(const int32_t *)l->weights;
    block b = {l->requantization.zero_point, output, channels, 2 * channels, output, scratch,
               units > 1 ? (units - 1 + UNROLLED - 1) / UNROLLED : 1, 0, (const int32_t *)l->weights + 1};
    walk w = start_walk(l);
    b.first = units - 1 - (b.trips - 1) * UNROLLED;
    for (int pixel = 0; pixel < count; pixel += PIXELS, b.output = output + (ptrdiff_t)pixel * channels) {
        const int pixels = count - pixel < PIXELS ? count - pixel : PIXELS;
        if (pixels < PIXELS) { /* the last one stands in for those that are not there */
            b.step1 = pixels > 1 ? channels : 0;
            b.step2 = b.step1;
        }
        if (in_a_row) {
            const int8_t *from[PIXELS] = {input + (ptrdiff_t)pixel * l->input_channels};
            from[1] = from[0] + (pixels > 1 ? l->input_channels : 0);
            from[2] = from[1] + (pixels > 2 ? l->input_channels : 0);
            unpack(scratch, from, units);
        } else if (EK_TAKES(EK_WAY_CONV_GATHER)) {
            unpack_patches(l, input, &w, pixels, scratch, (int8_t *)scratch + units * 8 * PIXELS);
        }
        run(&b, units, pixels, channels, fast);
    }
    ek_clamp_outputs(&l->requantization, output, count * channels);
}
#endif
