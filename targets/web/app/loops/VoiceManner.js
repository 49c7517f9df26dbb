/** How a text is read. */
export class VoiceManner {
    /**
     * @param {{speed: number, noise: number, rhythm: number, seed: number}} manner a speed of 2 is twice as fast; how much
     *     readings differ in sound, and in durations; the same seed reads alike.
     */
    constructor({ speed, noise, rhythm, seed }) {
        if (!(speed >= 0.25 && speed <= 4 && noise >= 0 && noise <= 2 && rhythm >= 0 && rhythm <= 2)) {
            throw new RangeError("a speed is from 0.25 to 4, noise and rhythm are from 0 to 2");
        }
        Object.assign(this, { speed, noise, rhythm, seed });
    }
}
