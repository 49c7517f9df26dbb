// Answers samples that Python sends, by the loops alone. Argument: a folder with model.json and what belongs to it.
import { readFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { floats, graph, load, longs, numbers, receive, send, state, string, text } from "./pipe.mjs";

const folder = process.argv[2], words = join(folder, "vocabulary.bin");
const description = JSON.parse(readFileSync(join(folder, "model.json"), "utf8"));
description.vocabulary = new Uint8Array(existsSync(words) ? readFileSync(words) : 0);
const parts = Object.fromEntries(description.parts.map(({ name }) => [name, graph(name)]));

/** Beside what the loops of tasks answer (TaskLoops.mjs, whose `answer` gets the task, or the family without one). */
async function answer(given, watch) {
    if (given.resize) {
        const [high, wide, filter] = numbers(given.resize), [height, width] = given.pixels.shape;
        const name = ["bilinear", "bicubic"][filter], Resample = await load("Resample");
        const data = Resample.resize(given.pixels.data, height, width, high, wide, name);
        return { pixels: { dtype: "uint8", shape: [data.length], data } };
    }
    if (given.seed) {
        return drawNumbers(numbers(given.seed));
    }
    if (!given.task && !given["self test"] && description.family === "whisper") {
        const { WhisperLoops } = await import("./WhisperLoops.mjs");
        return new WhisperLoops(parts, description).answer(given, watch);
    }
    const { TaskLoops } = await import("./TaskLoops.mjs");
    return new TaskLoops(description, parts, watch).answer(given.task ? string(given.task) : description.family, given);
}

async function drawNumbers(seed) {
    const [Pcg64, GaussianNoise] = [await load("Pcg64"), await load("GaussianNoise")];
    const random = new Pcg64(seed), noise = new GaussianNoise(seed);
    const gumbel = floats(Array.from({ length: 1000 }, () => random.gumbel()));
    return { gumbel, normal: floats(Array.from({ length: 40_000 }, () => noise.next())) };
}

/** Ends a loop after so many calls, as an app's AbortSignal does. */
function canceller(given) {
    let left = given["cancel after"] ? numbers(given["cancel after"])[0] : Infinity;
    return () => {
        if (left-- <= 0) {
            throw new DOMException("Cancellation", "AbortError");
        }
    };
}

for (let given = await receive(); given; given = await receive()) {
    const made = await answer(given, canceller(given)).catch((error) => ({ error: text(`${error.name}: ${error.message}`) }));
    send("answer", { ...made, open: longs([state.open]) });
}
