// Runs in the browser's thread for sound: sends what comes, in pieces of 1024 samples.
registerProcessor(
    "edgekit-recorder",
    class extends AudioWorkletProcessor {
        #held = new Float32Array(1024);
        #count = 0;

        process([[channel]]) {
            for (const value of channel ?? []) {
                this.#held[this.#count++] = value;
                if (this.#count === this.#held.length) {
                    this.port.postMessage(this.#held.slice());
                    this.#count = 0;
                }
            }
            return true;
        }
    },
);
