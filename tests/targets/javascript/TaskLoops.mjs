import { readFileSync } from "node:fs";
import { selfTest } from "../../../targets/web/app/core/selftest.js";
import { floats, load, longs, numbers, parseFile, string, text } from "./pipe.mjs";

/** Answers samples by the loop of a task, whose name Python sends, or of a family of models. */
export class TaskLoops {
    constructor(description, parts, watch) {
        Object.assign(this, { parts, description, watch });
    }

    /** A loop, and its class. */
    async loop(name) {
        const Loop = await load(name);
        return [new Loop(this.parts, this.description), Loop];
    }

    async answer(task, given) {
        if (given["self test"]) {
            return this.selfTest(await load(string(given.loop)));
        }
        const { watch } = this, { data: rgb, shape: [high, wide] = [] } = given.pixels ?? {}, sound = given.audio?.data;
        switch (task) {
            case "tensors":
                return this.tensors(given);
            case "vision":
            case "image-classification": {
                const [loop] = await this.loop("ImageClassifier");
                const fitted = { dtype: "uint8", shape: [high, wide], data: loop.fitted(rgb, high, wide) };
                const made = ranked(await loop.classify(rgb, high, wide, 5));
                return task === "vision" ? { ...made, fitted: { ...fitted, shape: [fitted.data.length] } } : made;
            }
            case "audio-classification":
                return ranked(await (await this.loop("SoundLabels"))[0].classify(sound, 5));
            case "automatic-speech-recognition":
                return { text: text(await (await this.loop("CtcLetters"))[0].transcribe(sound, watch)) };
            case "voice-activity-detection":
                return this.speech(sound, given);
            case "image-to-text": {
                const [loop] = await this.loop("PictureText"), lines = await loop.read(rgb, high, wide, watch);
                const all = lines.flatMap(({ score, corners }) => [score, ...corners.flat()]);
                return { numbers: floats(all), text: text((await load("TextLine")).text(lines)) };
            }
            case "automatic-music-transcription": {
                const [loop, Loop] = await this.loop("PlayedNotes");
                const [onset, frame, shortest, tolerance] = given.rules?.data ?? [];
                const rules = given.rules && { onset, frame, shortest, tolerance };
                const notes = await loop.transcribe(sound, rules ?? loop.rules(), watch);
                const all = notes.flatMap(({ start, end, pitch, velocity }) => [start, end, pitch, velocity]);
                return { numbers: floats(all), text: text(Loop.text(notes)) };
            }
            case "reinforcement-learning": {
                const [loop] = await this.loop("PolicySteering"), action = await loop.act(given.numbers.data);
                return { action: floats(action), applied: floats(loop.applied(action)) };
            }
            case "object-detection": {
                const [loop] = await this.loop("BoxDetector"), Box = await load("Box");
                const boxes = await loop.detect(rgb, high, wide, given.threshold?.data[0] ?? loop.threshold);
                const all = boxes.flatMap(({ score, sides, points }) => [score, ...sides, ...points]);
                return { numbers: floats(all), text: text(Box.text(boxes)) };
            }
            case "image-segmentation": {
                const [loop, Loop] = await this.loop("PictureAreas"), mask = await loop.segment(rgb, high, wide);
                const pixels = { dtype: "uint8", shape: [mask.height, mask.width], data: mask.classes };
                return { pixels, text: text(Loop.text(mask)) };
            }
            case "keypoint-detection": {
                const [loop] = await this.loop("PictureKeypoints"), things = await loop.find(rgb, high, wide, watch);
                const all = things.flatMap(({ score, points }) => [score, ...points]), Box = await load("Box");
                return { numbers: floats(all), text: text(Box.text(things)) };
            }
            case "time-series-forecasting": {
                const [loop] = await this.loop("SeriesForecast"), steps = given.steps ? numbers(given.steps)[0] : loop.horizon;
                const rows = await loop.forecast(Float64Array.from(given.numbers.data), steps, watch);
                return { quantiles: floats(rows.flat()), text: text(loop.text(rows)) };
            }
            case "text-to-speech":
                return this.speak(given);
            case "feature-extraction":
                return { embedding: floats(await (await this.loop("SentenceVectors"))[0].embed(string(given.text))) };
            case "speaker":
                return { embedding: floats(await (await this.loop("SpeakerEmbedder"))[0].embed(sound, watch)) };
            default:
                return this.keywords(sound, numbers(given.piece)[0]);
        }
    }

    /** The golden input through a loop, as the worker of a package does it. */
    async selfTest(Loop) {
        const [golden, reference] = await Promise.all(
            ["input", "reference"].map((name) => parseFile(readFileSync(`${process.argv[2]}/golden/${name}.bin`))),
        );
        const report = await selfTest(Loop, this.parts, this.description, golden, reference, this.watch);
        const { passed, errors, answer, expected } = report, worst = Math.max(...Object.values(errors));
        return {
            passed: longs([passed ? 1 : 0]), worst: floats([worst]), said: text(answer), expected: text(expected),
            parts: text(Object.keys(errors).sort().join(" ")),
        };
    }

    /** Tensors in the order of their names, which stand in lines. */
    async tensors(given) {
        const [loop] = await this.loop("TensorChain"), named = string(given.names).split("\n");
        const made = await loop.run(Object.fromEntries(named.map((name, i) => [name, given[`tensor ${i}`]])), this.watch);
        const names = loop.outputs.map((spec) => spec.name), all = names.map((name, i) => [`tensor ${i}`, made[name]]);
        return { ...Object.fromEntries(all), names: text(names.join("\n")) };
    }

    async speech(sound, given) {
        const [loop, Loop] = await this.loop("SpeechActivity"), streamed = [];
        try {
            const names = ["threshold", "release", "shortest", "pause", "padding", "longest", "cut"];
            const said = given.rules && Object.fromEntries(names.map((name, i) => [name, given.rules.data[i]]));
            const heard = await loop.detect(sound, said ?? loop.rules(), this.watch);
            const [piece] = given.piece ? numbers(given.piece) : [];
            for (let at = 0; piece && at < sound.length; at += piece) {
                streamed.push(...(await loop.push(sound.slice(at, at + piece))));
            }
            const spans = floats(heard.spans.flatMap(({ start, end }) => [start, end]));
            const probabilities = floats(heard.probabilities);
            return { spans, probabilities, streamed: floats(streamed), text: text(Loop.text(heard)) };
        } finally {
            loop.close();
        }
    }

    /** With "words" by a phonemizer that keeps letters and shows where a clause ends. */
    async speak(given) {
        const [loop] = await this.loop("VoiceReader"), VoiceSound = await load("VoiceSound"), said = string(given.text);
        const [speed, noise, rhythm, seed] = given.manner?.data ?? [];
        const manner = given.manner ? { speed, noise, rhythm, seed } : loop.manner();
        const phonemizer = given.words ? (clause) => `(fr)${clause.replace(/[.,;:!?]/g, "")} x` : null;
        const sound = given.phonemes
            ? await loop.speak(said, manner, this.watch)
            : await loop.read(said, phonemizer, manner, this.watch);
        return {
            samples: floats(sound.samples), text: text(VoiceSound.text(sound)),
            sentences: text(sound.sentences.join("\t")), unknown: text(sound.unknown.join(" ")),
        };
    }

    async keywords(sound, piece) {
        const [loop, Loop] = await this.loop("KeywordDetector"), samples = Loop.pcm(sound), events = [];
        for (let at = 0; at < samples.length; at += piece) {
            events.push(...(await loop.feed(samples.slice(at, at + piece), this.watch)));
        }
        const decimal = (value) => (Number.isInteger(value) ? value.toFixed(1) : String(value)); // as Python writes it
        const lines = events.map(({ word, time, score }) => `${word}\t${decimal(time)}\t${decimal(score)}\n`);
        return { events: text(lines.join("")) };
    }
}

function ranked(ranking) {
    const labels = ranking.map(({ classIndex, label }) => `${classIndex}\t${label}\n`).join("");
    return { scores: floats(ranking.map(({ score }) => score)), labels: text(labels) };
}
