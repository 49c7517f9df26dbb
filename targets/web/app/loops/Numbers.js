/** The arithmetic that several loops share. */
export class Numbers {
    /** Where the largest of the values [from, to) is, counted from `from`; the first of several. */
    static argmax(values, from = 0, to = values.length) {
        let best = from;
        for (let i = from + 1; i < to; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best - from;
    }

    static softmax(scores) {
        const top = scores[Numbers.argmax(scores)], odds = new Float32Array(scores.length);
        let sum = 0;
        for (let i = 0; i < odds.length; i++) {
            odds[i] = Math.exp(Math.fround(scores[i] - top));
            sum += odds[i];
        }
        for (let i = 0; i < odds.length; i++) {
            odds[i] /= sum;
        }
        return odds;
    }

    /** The nearest whole number, halves to even. */
    static rint(value) {
        const up = Math.round(value);
        return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
    }

    /** A decimal number of few places, halves to even, as Python's round. */
    static round(value, places) {
        return Number(Numbers.text(value, places));
    }

    /** A decimal number for people, as Python writes it: so many places, halves to even, and perhaps a plus. */
    static text(value, places, signed = false) {
        const size = Math.abs(value), exact = size.toFixed(100);
        const text = Numbers.#even(size.toFixed(places), exact, exact.indexOf(".") + (places > 0 ? 1 + places : 0));
        return (value < 0 || Object.is(value, -0) ? "-" : signed ? "+" : "") + text;
    }

    /** The first digits of a number, as Python writes it with "g". */
    static digits(value, count) {
        const size = Math.abs(value), exact = size.toExponential(100).split("e")[0];
        const [rounded, power] = size.toExponential(count - 1).split("e"), exponent = Number(power);
        const digits = Numbers.#even(rounded, exact, rounded.length), sign = value < 0 ? "-" : "";
        const plain = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
        if (exponent >= -4 && exponent < count) {
            return sign + plain(Number(`${digits}e${exponent}`).toFixed(count - 1 - exponent));
        }
        return `${sign}${plain(digits)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
    }

    /** A number that JavaScript rounded, halves up, with halves to even. */
    static #even(rounded, exact, end) {
        const half = /^\.?50*$/.test(exact.slice(end)), cut = exact.slice(0, end);
        return half && Number(cut.at(-1)) % 2 === 0 ? cut : rounded;
    }
}
