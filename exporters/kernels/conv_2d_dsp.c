/* CONV_2D with the DSP extension: blocks of 3 output pixels by 2 output channels.
 *
 * The patches of 3 pixels are unpacked to 16 bits once, side by side, for all channels. For 4 values of a patch the inner
 * loop then takes 17 instructions, 12 of them SMLAD, for 24 multiply-adds: 0.71 each. Pointwise convolutions read their
 * patches where they are; others gather them row by row. */
#include "arithmetic.h"
#if defined(EK_PATH_DSP)
#include "dsp.h"

enum { PIXELS = 3, UNROLLED = 8 };

/* 3 patches against all pairs of channels. A unit is 4 values of the patch. The assembly knows the order of members. */
typedef struct {
    int32_t zero_point;
    int8_t *output;        /* channel 0 of the first pixel */
    int32_t step1, step2;  /* from there to the second and the third pixel */
    int8_t *end;           /* output + number of channels, even */
    const uint32_t *patches; /* per unit: values 0 and 2 of each pixel, values 1 and 3 of each pixel */
    int32_t trips, first;  /* of the unrolled loop over all units but one; units in its first trip */
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

__attribute__((naked, noinline)) static void run_block(const block *b __attribute__((unused))) {
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

/* Both sums of a pair of channels and one pixel, in plain C: the two of `sums`, first channel first. */
static void pair_sums(const int32_t *pair, const uint32_t *patch, int units, int fast, int32_t sums[2]) {
    sums[0] = pair[1];
    sums[1] = fast ? ek_wrapping_add(pair[0], -pair[1]) / 256 : pair[0];
    for (int i = 0; i < 2 * units; ++i, patch += PIXELS) {
        sums[0] = ek_smlad(ek_first_channel((uint32_t)pair[2 + i]), *patch, sums[0]);
        sums[1] = ek_smlad(ek_second_channel((uint32_t)pair[2 + i]), *patch, sums[1]);
    }
}

/* Channels from `begin` to `end` of the pixels of a block, any requantization. */
static __attribute__((cold)) void run_plainly(const block *b, int units, int pixels, int begin, int end, int fast) {
    const int32_t *pair = b->weights + (size_t)(begin / 2) * (size_t)(2 * units + 6);
    const int32_t steps[PIXELS] = {0, b->step1, b->step2};
    for (int channel = begin; channel < end; channel += 2, pair += 2 * units + 6) {
        const int32_t *constants = pair + 2 + 2 * units;
        for (int p = 0; p < pixels; ++p) {
            int32_t sums[2];
            pair_sums(pair, b->patches + p, units, fast, sums);
            for (int i = 0; i < 2 && channel + i < end; ++i)
                b->output[steps[p] + channel + i] =
                    ek_requantize(sums[i], constants[i], constants[2 + i], b->zero_point);
        }
    }
}

/* `units` times 4 bytes of each of 3 pixels, unpacked: 12 instructions for 12 values. Returns the end of `to`. */
EK_INLINE uint32_t *unpack(uint32_t *to, const int8_t *const from[PIXELS], int units) {
#if defined(EK_DSP_INSTRUCTIONS)
    const int8_t *a = from[0], *b = from[1], *c = from[2];
    __asm__ volatile(
        "1:\n"
        "ldr r4, [%1], #4\n ldr r5, [%2], #4\n ldr r6, [%3], #4\n"
        "sxtb16 r8, r4, ror #8\n sxtb16 r9, r5, ror #8\n sxtb16 r10, r6, ror #8\n"
        "sxtb16 r4, r4\n sxtb16 r5, r5\n sxtb16 r6, r6\n"
        "stm %0!, {r4, r5, r6, r8, r9, r10}\n"
        "subs %4, #1\n"
        "bne 1b\n"
        : "+r"(to), "+r"(a), "+r"(b), "+r"(c), "+r"(units)
        :
        : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
    return to;
#else
    for (int i = 0; i < units; ++i, to += 2 * PIXELS)
        for (int p = 0; p < PIXELS; ++p) {
            const uint32_t bytes = ek_load_u32(from[p] + 4 * i);
            to[p] = ek_sxtb16(bytes);
            to[PIXELS + p] = ek_sxtb16_odd(bytes);
        }
    return to;
#endif
}

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
    int x, y;
    int past_x;         /* x of the patch after an output row's last */
    int last_x, last_y; /* of a patch that is inside of the input and dense; -1 if there is none */
    int last_place;     /* offset of the last patch of which 3 bytes more than there are may be read */
    int rows, bytes;    /* of a patch; bytes in a row */
    int pitch;          /* bytes of a row of the input */
} walk;

static walk start_walk(const ek_conv_2d_layer *l) {
    const int rows = l->kernel_height, bytes = l->kernel_width * l->input_channels;
    const int pitch = l->input_width * l->input_channels;
    const int dense = (l->dilation_height == 1 || rows == 1) && (l->dilation_width == 1 || l->kernel_width == 1);
    const walk w = {-l->pad_left, -l->pad_top, l->output_width * l->stride_width - l->pad_left,
                    dense ? l->input_width - l->kernel_width : -1, dense ? l->input_height - rows : -1,
                    (l->input_height - rows + 1) * pitch - bytes - 3, rows, bytes, pitch};
    return w;
}

/* Copies the patch at (x, y), which is partly outside of the input, with the zero point for what is outside. */
static __attribute__((noinline)) void gather_patch(const ek_conv_2d_layer *l, const int8_t *input, int x0, int y,
                                                   int8_t *to) {
    const int channels = l->input_channels;
    const int run = l->dilation_width == 1 ? l->kernel_width : 1; /* taps side by side */
    for (int i = 0; i < l->kernel_height; ++i, y += l->dilation_height)
        for (int j = 0, x = x0; j < l->kernel_width; j += run, x += l->dilation_width, to += run * channels) {
            const int outside = y < 0 || y >= l->input_height;
            const int begin = outside ? run : ek_clamp(-x, 0, run);
            const int end = ek_clamp(l->input_width - x, begin, run);
            const int8_t *from = input + ((ptrdiff_t)y * l->input_width + x + begin) * channels;
            fill_bytes(to, l->input_zero_point, begin * channels);
            copy_bytes(to + begin * channels, from, (end - begin) * channels);
            fill_bytes(to + end * channels, l->input_zero_point, (run - end) * channels);
        }
}

/* Copies a patch that is inside of the input. Up to 3 bytes more are read and written. */
static __attribute__((noinline)) void gather_rows(const int8_t *from, int rows, int bytes, int pitch, int8_t *to) {
    for (; rows > 0; --rows, from += pitch, to += bytes) {
        const int8_t *source = from;
        int8_t *target = to;
        do {
            ek_store_u32(target, ek_load_u32(source));
            source += 4;
            target += 4;
        } while (target < to + bytes);
    }
}

/* The next pixel's patch: in the input itself, or copied to `spare`. Its rows' distance goes to `pitch`. */
EK_INLINE const int8_t *next_patch(const ek_conv_2d_layer *l, const int8_t *input, walk *w, int8_t *spare, int *pitch) {
    const int x = w->x, y = w->y, place = y * w->pitch + x * l->input_channels;
    w->x += l->stride_width;
    if (w->x == w->past_x) {
        w->x = -l->pad_left;
        w->y += l->stride_height;
    }
    *pitch = w->pitch;
    if (x < 0 || x > w->last_x || y < 0 || y > w->last_y)
        gather_patch(l, input, x, y, spare);
    else if (w->bytes % 4 == 0)
        return input + place;
    else if (place <= w->last_place)
        gather_rows(input + place, w->rows, w->bytes, w->pitch, spare);
    else
        gather_patch(l, input, x, y, spare);
    *pitch = w->bytes;
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
    if (begin < channels) run_plainly(b, units, pixels, begin, channels, fast);
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
        } else {
            unpack_patches(l, input, &w, pixels, scratch, (int8_t *)scratch + units * 8 * PIXELS);
        }
        run(&b, units, pixels, channels, fast);
    }
    ek_clamp_outputs(&l->requantization, output, count * channels);
}
#endif
