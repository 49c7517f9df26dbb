import * as lib from "./lib/index.js";
import * as answers from "./answers.js";

const $ = (id) => document.getElementById(id);
const api = document.documentElement.dataset.api, Api = lib[api];

const numbers = (text) => text.split(/[\s,;]+/).filter(Boolean).map(Number);
const NOTHING = "Nothing was heard.";
const digits = (values) => Array.from(values, (value) => value.toFixed(4)).join("  ");

/**
 * What each class takes ("picture", "sound" or "text"), the method that answers or what asks it, and how that is shown.
 * live: what comes from a microphone is shown as it comes.
 */
const TASKS = {
    Classifier: { takes: "picture", ask: "classify", show: (ranked) => answers.bars(ranked) },
    ObjectDetector: { takes: "picture", ask: "detect", show: answers.boxes },
    KeypointDetector: { takes: "picture", ask: "detect", show: answers.keypoints },
    PictureSegmenter: { takes: "picture", ask: "segment", show: answers.areas },
    TextReader: { takes: "picture", ask: "read", show: answers.lines },
    SoundClassifier: { takes: "sound", ask: "classify", show: (ranked) => answers.bars(ranked) },
    CtcTranscriber: { takes: "sound", ask: "transcribe", show: (text) => answers.text(text || NOTHING) },
    MusicTranscriber: { takes: "sound", ask: "transcribe", show: answers.notes },
    Transcriber: {
        takes: "sound",
        ask: "transcribe",
        show: ({ text, segments }) => (segments.length > 1
            ? answers.rows(segments.map(({ start, end, text: said }) => [answers.seconds(start, end), said]))
            : answers.text(text || NOTHING)),
        async live(sound) {
            let whole = "";
            for await (const { text, pending } of model.stream(sound)) {
                whole = `${whole} ${text}`.trim();
                answers.text(whole, pending);
            }
        },
    },
    SpeechDetector: {
        takes: "sound",
        ask: "detect",
        show: ({ spans }) =>
            answers.rows(spans.map(({ start, end }) => [answers.seconds(start, end), "speech"]), "Nobody speaks."),
        async live(sound) {
            for await (const chances of model.listen(sound)) {
                chances.length && answers.bars([{ label: "speech", score: chances.at(-1) }]);
            }
        },
    },
    WakeWordDetector: {
        takes: "sound",
        ask: (sound) => events(sound),
        show: (heard) => answers.rows(heard, NOTHING),
        live: (sound) => events(sound, (heard) => answers.rows(heard)),
    },
    SpeakerVerifier: {
        takes: "sound",
        hint: "The first voice is compared with those that follow.",
        async ask(sound, options) {
            const voice = await model.embed(sound, options), score = model.similarity((firstVoice ??= voice), voice);
            return [{ label: score >= model.threshold ? "the first speaker" : "another speaker", score }];
        },
        show: (ranked) => answers.bars(ranked, (score) => score.toFixed(3)),
    },
    SentenceEncoder: {
        takes: "text",
        example: () => "A cat sits on the mat.\nA feline rests on a rug.\nThe market fell by two percent.",
        async ask(text) {
            const sentences = text.split("\n").filter((line) => line.trim());
            const [first, ...others] = await Promise.all(sentences.map((sentence) => model.embed(sentence)));
            return others.map((vector, i) => ({ label: sentences[i + 1], score: model.similarity(first, vector) }));
        },
        show: (ranked) => answers.bars(ranked, (score) => score.toFixed(3)),
    },
    Forecaster: {
        takes: "text",
        example: () => Array.from({ length: 48 }, (_, i) => Math.round(100 + i + 20 * Math.sin((i * Math.PI) / 6))).join(" "),
        ask: (text, options) => model.forecast(numbers(text), options),
        show: (forecast, text) => answers.curve(forecast, numbers(text)),
    },
    Policy: {
        takes: "text",
        example: () => new Array(model.observations).fill(0).join(" "),
        ask: (text, options) => model.act(numbers(text), options),
        show: ({ action, applied }) => answers.rows([["action", digits(action)], ["applied", digits(applied)]]),
    },
    SpeechSynthesizer: { takes: "text", example: () => "həlˈoʊ wˈɜːld!", ask: "speak", show: play },
    Chat: { takes: "text", example: () => "What is the capital of France?", ask: converse, show() {} },
    TensorModel: {},
};
const task = TASKS[api];
let model, busy, firstVoice;

const ask = (input, options) => (typeof task.ask === "string" ? model[task.ask](input, options) : task.ask(input, options));

async function events(sound, tell = () => {}) {
    const heard = [];
    for await (const { word, time, score } of model.detect(sound)) {
        heard.push([answers.seconds(time), `${word} (${answers.percent(score)})`]);
        tell(heard);
    }
    return heard;
}

function play({ samples, rate }) {
    const context = new AudioContext(), buffer = new AudioBuffer({ length: samples.length, sampleRate: rate });
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    source.onended = () => context.close();
    source.start();
    answers.text(`${buffer.duration.toFixed(2)} s of speech`);
}

/** The turns so far, and behind each answer how fast it came. */
const turns = [];

async function converse(text, { signal }) {
    const begin = performance.now(), answer = ["model", ""], pace = ["", ""];
    let first, more = 0;
    turns.push(["you", text], answer, pace);
    $("text").value = "";
    answers.rows(turns);
    for await (const piece of model.send(text, { signal, progress: (tokens) => (more = tokens) })) {
        const now = performance.now(), rate = more / ((now - (first ??= now)) / 1000);
        answer[1] += piece;
        pace[1] = `the first token after ${answers.seconds((first - begin) / 1000)}${more ? `, ${rate.toFixed(1)} tokens/s` : ""}`;
        answers.rows(turns);
    }
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
    $("memory").textContent = "measuring";
    const used = self.crossOriginIsolated && (await performance.measureUserAgentSpecificMemory?.().catch(() => null));
    $("memory").textContent = used ? `${(used.bytes / 1e6).toFixed(0)} MB` : "not measured (the page is not isolated)";
}

const answer = (input) => work("Working", async (signal, progress) => {
    const given = task.takes === "picture" ? await createImageBitmap(input) : input;
    task.takes === "picture" ? answers.draw(given) : task.takes === "sound" && hear(input);
    answers.show();
    task.show(await ask(given, { signal, progress }), given, model);
});

/** From the microphone until it is stopped: shown as it comes, or all at once at the end. */
const listen = () => work("Listening", async (signal, progress) => {
    const sound = lib.microphone({ signal, rate: model.rate ?? 16000 }), pieces = [];
    answers.show();
    if (task.live) {
        return task.live(sound);
    }
    for await (const piece of sound) {
        pieces.push(piece);
    }
    const all = new Float32Array(await new Blob(pieces).arrayBuffer());
    return task.show(await ask(all, { progress }), all, model);
});

/** Picture after picture of the camera, until it is stopped. */
const watch = () => work("Watching", async (signal) => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }), video = $("video");
    try {
        video.srcObject = stream;
        await video.play();
        while (!signal.aborted) {
            const picture = await createImageBitmap(video);
            const made = await ask(picture, { signal });
            answers.draw(picture);
            task.show(made, picture, model);
        }
    } finally {
        stream.getTracks().forEach((track) => track.stop());
    }
});

const examine = () => work("Testing", async (signal, progress) => {
    const { passed, answer: said, expected, errors, limits } = await model.selfTest({ signal, progress });
    const far = Object.entries(errors).map(([part, error]) => [part, `away from fp32: ${error.toPrecision(3)} (at most ${limits[part]})`]);
    const texts = [["result", passed ? "as the reference" : "OTHER than the reference"], ["answer", said], ["expected", expected]];
    answers.rows([...texts, ...far]);
});

function offer() {
    const { takes, example, hint = "" } = task;
    $("inputs").hidden = false;
    $("drop").hidden = !takes || takes === "text";
    $("file").accept = takes === "picture" ? "image/*" : "audio/*,video/*";
    $("hint").textContent = `Drop a ${takes} here, paste it, or choose a file. ${hint}`;
    $("record").hidden = $("drop").hidden;
    $("record").textContent = takes === "picture" ? "Use the camera" : "Use the microphone";
    $("text").hidden = $("run").hidden = takes !== "text";
    $("text").value = example?.() ?? "";
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
    const threads = model.threads ?? Math.min(4, navigator.hardwareConcurrency);
    $("threads").textContent = self.crossOriginIsolated ? threads : "1 (the page is not isolated)";
    offer();
});
navigator.serviceWorker?.register("sw.js").catch(() => {}); // for visits without a network; the page works without
