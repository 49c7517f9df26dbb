import { Numbers } from "./Numbers.js";

/**
 * Which periods a series has, and what it would be if it only repeated itself: the normalised periodogram's peaks that noise
 * alone would hardly make, as TinyCast does it (arXiv:2608.15767).
 */
export class SeriesPeriods {
    /**
     * The strongest periods of values without gaps, in steps, the strongest first; 0 for each that is missing. Of the rule:
     * "most" periods; "least", the shortest; "alpha", the chance with which noise may make a peak.
     */
    static of(values, rule) {
        const shares = SeriesPeriods.#shares(values), { length } = values, count = shares.length, peaks = [];
        const threshold = Math.log(count / rule.alpha) / count;
        const from = Math.max(1, Math.trunc(length / Math.max(2, length >> 1)) - 1);
        const to = Math.min(count - 2, Math.trunc(length / Math.max(2, rule.least)) - 1);
        for (let at = from; at <= to; at++) {
            if (shares[at] > shares[at - 1] && shares[at] > shares[at + 1] && shares[at] >= threshold) {
                peaks.push(at);
            }
        }
        const best = peaks.sort((a, b) => shares[b] - shares[a]).slice(0, rule.most);
        const periods = best.map((at) => Numbers.rint(Math.fround(length / (at + 1))));
        return [...periods, ...new Array(rule.most - periods.length).fill(0)];
    }

    /** The shares of the power that each frequency from 1 on has. */
    static #shares(values) {
        const { length } = values, quarter = length >> 2;
        const mean = Math.fround(values.reduce((sum, value) => sum + value / length, 0));
        const centred = values.map((value) => value - mean), power = new Float64Array(length >> 1);
        const turns = Float64Array.from(values, (_, i) => Math.cos((2 * Math.PI * i) / length));
        let total = 0;
        for (let at = 1; at <= power.length; at++) {
            let real = 0, imaginary = 0;
            for (let i = 0, angle = 0; i < length; i++, angle = (angle + at) % length) {
                real += centred[i] * turns[angle];
                imaginary += centred[i] * turns[(angle + quarter) % length];
            }
            power[at - 1] = real * real + imaginary * imaginary;
            total += power[at - 1];
        }
        return power.map((one) => one / Math.max(total, 1e-12));
    }

    /** Sine and cosine of where in each period a step is, written from `at` on; nothing for a period of 0. */
    static writePhases(step, periods, into, at) {
        for (const [k, period] of periods.entries()) {
            if (period > 0) {
                const angle = Math.fround(Math.fround(Math.fround(2 * Math.PI) * step) / period);
                into[at + 2 * k] = Math.sin(angle);
                into[at + 2 * k + 1] = Math.cos(angle);
            }
        }
    }

    /**
     * What comes next if the series repeats itself: for each of `steps` the mean of what was observed in its part of the
     * period, which has so many `bins`. A part without any has the mean of all.
     */
    static fold(values, observed, period, steps, bins) {
        const totals = new Float64Array(bins), counts = new Float64Array(bins), whole = Math.max(1, period);
        const part = (step) => Math.min(Math.trunc(Math.fround(Math.fround((step % whole) / whole) * bins)), bins - 1);
        let total = 0, count = 0;
        for (let i = 0; i < values.length; i++) {
            if (observed[i]) {
                totals[part(i)] += values[i];
                counts[part(i)]++;
                total += values[i];
                count++;
            }
        }
        return Float32Array.from({ length: steps }, (_, i) => {
            const at = part(values.length + i);
            return counts[at] > 0 ? totals[at] / counts[at] : total / Math.max(1, count);
        });
    }
}
