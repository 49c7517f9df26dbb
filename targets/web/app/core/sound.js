import { failure, need } from "./failure.js";
import { own } from "./own.js";

/**
 * Mono samples at a rate, as floats in [-1, 1].
 * @param sound Float32Array (taken as it is), AudioBuffer, or a Blob, File, Response or address of a sound file.
 */
export async function samples(sound, rate) {
    if (sound instanceof Float32Array) {
        return sound;
    }
    if (!(sound instanceof AudioBuffer)) {
        return mixDown(await decode(sound, rate));
    }
    return sound.sampleRate === rate ? mixDown(sound) : samples(wave(sound), rate);
}

/** A WAV file of floats. Only the decoder filters what a lower rate cannot hold; a node that plays a buffer does not. */
function wave(buffer) {
    const sound = mixDown(buffer), rate = buffer.sampleRate, bytes = 4 * sound.length;
    const riff = [0x46464952, 36 + bytes, 0x45564157, 0x20746d66, 16, 0x10003, rate, 4 * rate, 0x200004, 0x61746164, bytes];
    return new Blob([Uint32Array.from(riff), sound]);
}

/** The browser's decoder; it also brings the sound to the rate. */
async function decode(sound, rate) {
    need("OfflineAudioContext");
    const source = typeof sound === "string" || sound instanceof URL ? await fetch(sound) : sound;
    try {
        return await new OfflineAudioContext(1, 1, rate).decodeAudioData(await source.arrayBuffer());
    } catch (error) {
        throw failure("BadInput", `this is no sound that the browser can decode: ${error.message}`);
    }
}

/** The mean of all channels. */
function mixDown(buffer, begin = 0, end = buffer.length) {
    const count = buffer.numberOfChannels, sum = buffer.getChannelData(0).slice(begin, end);
    for (let channel = 1; channel < count; channel++) {
        buffer.getChannelData(channel).subarray(begin, end).forEach((value, i) => (sum[i] += value));
    }
    return own(count > 1 ? sum.map((value) => value / count) : sum);
}

/**
 * Sound as it comes, in chunks of any size.
 * @param options {rate: 16000, signal: ends it, stream: a MediaStream in place of the microphone}
 */
export async function* microphone({ rate = 16000, signal, stream } = {}) {
    need("AudioWorkletNode");
    const constraints = { audio: { channelCount: 1, echoCancellation: false } };
    const source = stream ?? (await navigator.mediaDevices.getUserMedia(constraints).catch((error) => {
        throw failure("MicrophoneRefused", `there is no sound from a microphone: ${error.message}`);
    }));
    const context = new AudioContext({ sampleRate: rate }), waiting = [];
    let wake = () => {};
    const stop = () => wake();
    try {
        await context.audioWorklet.addModule(new URL("../recorder.js", import.meta.url));
        const recorder = new AudioWorkletNode(context, "edgekit-recorder", { numberOfOutputs: 0 });
        recorder.port.onmessage = ({ data }) => {
            waiting.push(data);
            wake();
        };
        context.createMediaStreamSource(source).connect(recorder);
        signal?.addEventListener("abort", stop);
        source.getAudioTracks()[0].addEventListener("ended", stop);
        await context.resume();
        while (!signal?.aborted && source.active) {
            if (waiting.length) {
                yield join(waiting.splice(0));
            } else {
                await new Promise((done) => (wake = done));
            }
        }
    } finally {
        signal?.removeEventListener("abort", stop);
        stream ?? source.getTracks().forEach((track) => track.stop());
        await context.close();
    }
}

/** Chunks of sound from a MediaStream, of a file in pieces of ten seconds, or as they are. */
export async function* chunks(sound, rate, signal) {
    const file = sound instanceof Blob && (await decode(sound, rate)), step = 10 * rate;
    for (let at = 0; at < file.length; at += step) {
        yield mixDown(file, at, at + step);
    }
    yield* file ? [] : sound instanceof MediaStream ? microphone({ rate, signal, stream: sound }) : sound;
}

/** The recorder's pieces, which are equally long, as one. */
function join(pieces) {
    const size = pieces[0].length, all = new Float32Array(size * pieces.length);
    pieces.forEach((piece, i) => all.set(piece, size * i));
    return all;
}
