import * as lib from "./lib/index.js";
import * as answers from "./answers.js";

const $ = (id) => document.getElementById(id);
const api = document.documentElement.dataset.api, Api = lib[api];

const numbers = (text) => text.split(/[\s,;]+/).filter(Boolean).map(Number);
const digits = (values) => Array.from(values, (value) => value.toFixed(4)).join("  ");

/** What each class takes ("picture", "sound" or "text"), how it is asked, how the answer is shown; live: from a microphone. */
const TASKS = {
    Classifier: { takes: "picture", ask: (model, picture, options) => model.classify(picture, options), show: answers.bars },
    ObjectDetector: { takes: "picture", ask: (model, picture, options) => model.detect(picture, options), show: answers.boxes },
    KeypointDetector: {
        takes: "picture", ask: (model, picture, options) => model.detect(picture, options), show: answers.keypoints,
    },
    PictureSegmenter: { takes: "picture", ask: (model, picture, options) => model.segment(picture, options), show: answers.areas },
    TextReader: { takes: "picture", ask: (model, picture, options) => model.read(picture, options), show: answers.lines },
    SoundClassifier: { takes: "sound", ask: (model, sound, options) => model.classify(sound, options), show: answers.bars },
    CtcTranscriber: { takes: "sound", ask: (model, sound, options) => model.transcribe(sound, options), show: answers.text },
    MusicTranscriber: { takes: "sound", ask: (model, sound, options) => model.transcribe(sound, options), show: answers.notes },
    Transcriber: {
        takes: "sound",
        ask: (model, sound, options) => model.transcribe(sound, options),
        show: ({ text, segments }) => (segments.length > 1
            ? answers.rows(segments.map(({ start, end, text: said }) => [answers.seconds(start, end), said]))
            : answers.text(text || "No words were heard.")),
        async live(model, sound) {
            let whole = "";
            for await (const { text, pending } of model.stream(sound)) {
                whole = `${whole} ${text}`.trim();
                answers.text(whole, pending);
            }
        },
    },
    SpeechDetector: {
        takes: "sound",
        ask: (model, sound, options) => model.detect(sound, options),
        show: ({ spans }) =>
            answers.rows(spans.map(({ start, end }) => [answers.seconds(start, end), "speech"]), "Nobody speaks."),
        async live(model, sound) {
            for await (const chances of model.listen(sound)) {
                chances.length && answers.bars([{ label: "speech", score: chances.at(-1) }]);
            }
        },
    },
    WakeWordDetector: {
        takes: "sound",
        ask: (model, sound) => events(model, sound, []),
        show: (heard) => answers.rows(heard, "No word was heard."),
        live: (model, sound) => events(model, sound, [], (heard) => answers.rows(heard)),
    },
    SpeakerVerifier: {
        takes: "sound",
        hint: "The first voice is compared with those that follow.",
        ask: compare,
        show: (ranked) => answers.bars(ranked, (score) => score.toFixed(3)),
    },
    SentenceEncoder: {
        takes: "text",
        example: "A cat sits on the mat.\nA feline rests on a rug.\nThe market fell by two percent.",
        ask: async (model, text) => {
            const sentences = text.split("\n").filter((line) => line.trim()), vectors = [];
            for (const sentence of sentences) {
                vectors.push(await model.embed(sentence));
            }
            return sentences.slice(1).map((label, i) => ({ label, score: model.similarity(vectors[0], vectors[i + 1]) }));
        },
        show: (ranked) => answers.bars(ranked, (score) => score.toFixed(3)),
    },
    Forecaster: {
        takes: "text",
        example: Array.from({ length: 48 }, (_, i) => Math.round(100 + i + 20 * Math.sin((i * Math.PI) / 6))).join(" "),
        ask: (model, text, options) => model.forecast(numbers(text), options),
        show: (forecast, text) => answers.curve(forecast, numbers(text)),
    },
    Policy: {
        takes: "text",
        example: (model) => new Array(model.observations).fill(0).join(" "),
        ask: (model, text, options) => model.act(numbers(text), options),
        show: ({ action, applied }) => answers.rows([["action", digits(action)], ["applied", digits(applied)]]),
    },
    SpeechSynthesizer: {
        takes: "text",
        example: "həlˈoʊ wˈɜːld!",
        ask: (model, text, options) => model.speak(text, options),
        show: ({ samples, rate }) => play(samples, rate),
    },
    TensorModel: { takes: "", show: () => {} },
};
const task = TASKS[api];
let model, busy, first;

async function events(detector, sound, heard, tell = () => {}) {
    for await (const { word, time, score } of detector.detect(sound)) {
        tell(heard.push([answers.seconds(time), `${word} (${answers.percent(score)})`]) && heard);
    }
    return heard;
}

async function compare(verifier, sound, options) {
    const voice = await verifier.embed(sound, options);
    first ??= voice;
    const score = verifier.similarity(first, voice);
    return [{ label: score >= verifier.threshold ? "the first speaker" : "another speaker", score }];
}

/** Floats as a file that the page's player takes. */
function play(samples, rate) {
    const view = new DataView(new ArrayBuffer(44 + 2 * samples.length)), words = { 0: "RIFF", 8: "WAVE", 12: "fmt ", 36: "data" };
    const put = (at, ...values) => values.forEach((value, i) => view.setUint16(at + 2 * i, value, true));
    Object.entries(words).forEach(([at, word]) => [...word].forEach((sign, i) => view.setUint8(+at + i, sign.charCodeAt(0))));
    [[4, 36 + 2 * samples.length], [16, 16], [24, rate], [28, 2 * rate], [40, 2 * samples.length]]
        .forEach(([at, value]) => view.setUint32(at, value, true));
    put(20, 1, 1);
    put(32, 2, 16);
    samples.forEach((value, i) => view.setInt16(44 + 2 * i, 32767 * Math.max(-1, Math.min(1, value)), true));
    hear(new Blob([view], { type: "audio/wav" }));
    answers.show();
}

function hear(blob) {
    URL.revokeObjectURL($("audio").src);
    $("audio").src = URL.createObjectURL(blob);
    $("audio").hidden = false;
}

function report(status, share) {
    $("status").textContent = status;
    $("progress").hidden = share === undefined;
    share === null || share === undefined ? $("progress").removeAttribute("value") : ($("progress").value = share);
}

function refuse(error) {
    report("");
    $("problem").hidden = false;
    $("problem").textContent = `${error.message || error} (${error.name || "Error"})`;
}

/** One work at a time: what is given meanwhile ends the one before. */
async function work(name, act) {
    busy?.abort();
    const own = (busy = new AbortController()), begin = performance.now();
    $("problem").hidden = true;
    $("stop").hidden = false;
    report(name, null);
    try {
        await act(own.signal, (done, total) => busy === own && report(name, total ? done / total : null));
        report(own.signal.aborted ? "Stopped" : "Done");
        $("time").textContent = `${(performance.now() - begin).toFixed(0)} ms`;
    } catch (error) {
        busy !== own || own.signal.aborted ? report("Stopped") : refuse(error);
    }
    if (busy === own) {
        busy = undefined;
        $("stop").hidden = true;
        $("video").hidden = true;
        measure();
    }
}

/** The memory of the page with its workers, where the browser tells. */
async function measure() {
    const used = self.crossOriginIsolated && (await performance.measureUserAgentSpecificMemory?.().catch(() => null));
    $("memory").textContent = used ? `${(used.bytes / 1e6).toFixed(0)} MB` : "not measured (the page is not isolated)";
}

const answer = (input) => work("Working", async (signal, progress) => {
    const given = task.takes === "picture" ? await createImageBitmap(input) : input;
    task.takes === "picture" ? answers.draw(given) : task.takes === "sound" && hear(input);
    answers.show();
    task.show(await task.ask(model, given, { signal, progress }), given, model);
});

/** From the microphone until it is stopped: shown as it comes, or all at once at the end. */
const listen = () => work("Listening", async (signal, progress) => {
    const sound = lib.microphone({ signal, rate: model.rate ?? 16000 }), pieces = [];
    answers.show();
    if (task.live) {
        return task.live(model, sound);
    }
    for await (const piece of sound) {
        pieces.push(piece);
    }
    const all = new Float32Array(await new Blob(pieces).arrayBuffer());
    return task.show(await task.ask(model, all, { progress }), all, model);
});

/** Picture after picture of the camera, until it is stopped. */
const watch = () => work("Watching", async (signal) => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }), video = $("video");
    try {
        video.srcObject = stream;
        await video.play();
        while (!signal.aborted) {
            const picture = await createImageBitmap(video);
            const made = await task.ask(model, picture, { signal });
            answers.draw(picture);
            task.show(made, picture, model);
        }
    } finally {
        stream.getTracks().forEach((track) => track.stop());
    }
});

const examine = () => work("Testing", async (signal, progress) => {
    const { passed, answer: said, expected, errors, limit } = await model.selfTest({ signal, progress });
    const far = Object.entries(errors).map(([part, error]) => [part, `away from fp32: ${error.toPrecision(3)} (at most ${limit})`]);
    const texts = [["result", passed ? "as the reference" : "OTHER than the reference"], ["answer", said], ["expected", expected]];
    answers.rows([...texts, ...far]);
});

function offer() {
    const { takes, example = "", hint = "" } = task;
    $("inputs").hidden = false;
    $("drop").hidden = !takes || takes === "text";
    $("file").accept = takes === "picture" ? "image/*" : "audio/*,video/*";
    $("hint").textContent = `Drop a ${takes} here, paste it, or choose a file. ${hint}`;
    $("record").hidden = $("drop").hidden;
    $("record").textContent = takes === "picture" ? "Use the camera" : "Use the microphone";
    $("text").hidden = $("run").hidden = takes !== "text";
    $("text").value = typeof example === "function" ? example(model) : example;
}

async function take(files) {
    for (const file of files ?? []) {
        await answer(file);
    }
}

$("file").addEventListener("change", ({ target }) => take([...target.files]).then(() => (target.value = "")));
$("record").addEventListener("click", () => (task.takes === "picture" ? watch() : listen()));
$("stop").addEventListener("click", () => busy?.abort());
$("test").addEventListener("click", examine);
$("inputs").addEventListener("submit", (event) => event.preventDefault() ?? answer($("text").value));
addEventListener("paste", ({ clipboardData }) => clipboardData.files.length && model && take([...clipboardData.files]));
addEventListener("dragover", (event) => event.preventDefault() ?? $("drop").classList.add("over"));
addEventListener("dragleave", () => $("drop").classList.remove("over"));
addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    model && take([...event.dataTransfer.files]);
});
addEventListener("keydown", (event) => {
    event.key === "Escape" && busy?.abort();
    event.key === "Enter" && (event.ctrlKey || event.metaKey) && task.takes === "text" && $("inputs").requestSubmit();
});

const STAGES = { fetch: "Getting the model", test: "Testing the model in this browser" };
await work("Starting", async (signal) => {
    model = await Api.load({ signal, progress: (stage, share) => report(STAGES[stage], share) });
    $("threads").textContent = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : "1 (the page is not isolated)";
    offer();
});
navigator.serviceWorker?.register("sw.js").catch(() => {}); // for visits without a network; the page works without
