/** Stretches of a mono sound at the model's sample rate, a Float32Array of numbers in [-1, 1]. */
export class Samples {
    /** Samples [start, start + most), fewer at the end; not a copy. */
    static window(sound, start, most) {
        const values = sound.subarray(Math.min(start, sound.length), Math.min(start + Math.max(0, most), sound.length));
        Samples.check(values, "audio");
        return values;
    }

    static check(values, what = "sound") {
        for (let i = 0; i < values.length; i++) {
            if (!Number.isFinite(values[i])) {
                throw new RangeError(`the ${what} holds values that are not numbers (NaN or infinite)`);
            }
        }
    }
}
