/** A label, its class and its score. */
export class Ranked {
    constructor(label, classIndex, score) {
        this.label = label;
        this.classIndex = classIndex;
        this.score = score;
    }

    /** The labels with the largest scores, the best first; of equal ones the later class. */
    static of(scores, labels, top) {
        if (scores.length !== labels.length) {
            throw new Error("the network has other classes than labels");
        }
        const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a] || b - a);
        return order.slice(0, Math.max(1, top)).map((i) => new Ranked(labels[i], i, scores[i]));
    }
}
