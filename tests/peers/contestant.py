"""One tool under test, as a process that lives through the whole comparison and works when it is told to.

    python contestant.py NAME MODEL [--threads N]

Runs under any of the three environments, so it imports the standard library and its own tool only. Requests and answers
are JSON lines on stdin and stdout (what a tool prints goes to stderr). On start it loads MODEL and answers with
``{"loaded": seconds, "version": ..., "python": ...}``; then each request gets one answer:

- ``{"do": "transcribe", "path": ..., "long": bool}`` → text, seconds, audio_seconds, cpu. `seconds` is wall
  time from the path to the text, the decoding of the file included, for every tool alike.
- ``{"do": "memory"}`` → peak, the most bytes that were resident since the last such request (or since the load), and
  exact, whether the kernel lets the peak of the load be forgotten.

Every tool is greedy, in English, without context from window to window, with its own default temperature fallback. A
recording longer than Whisper's window needs timestamps to be cut; clips are transcribed without.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: path, whether it is longer than a window → text, seconds of audio that the tool saw.
Transcribe = Callable[[str, bool], tuple[str, float]]

RATE = 16_000


def edgekit(model: str, threads: int) -> Transcribe:
    import edgekit

    predictor = edgekit.load(model, threads=threads)

    def transcribe(path: str, long: bool) -> tuple[str, float]:
        prediction = predictor.predict(path, language="en")
        return prediction.output, prediction.units["audio_seconds"]

    return transcribe


def faster_whisper(model: str, threads: int, compute_type: str) -> Transcribe:
    from faster_whisper import WhisperModel

    whisper = WhisperModel(model, device="cpu", compute_type=compute_type, cpu_threads=threads)

    def transcribe(path: str, long: bool) -> tuple[str, float]:
        segments, info = whisper.transcribe(
            path,
            language="en",
            beam_size=1,
            without_timestamps=not long,
            condition_on_previous_text=False,
            vad_filter=False,
        )
        return "".join(segment.text for segment in segments).strip(), info.duration

    return transcribe


def pywhispercpp(model: str, threads: int) -> Transcribe:
    import soundfile
    from pywhispercpp.model import Model

    # Its own reading of FLAC starts an ffmpeg, whose start would count against it.
    whisper = Model(model, n_threads=threads, language="en", print_progress=False, redirect_whispercpp_logs_to=None)

    def transcribe(path: str, long: bool) -> tuple[str, float]:
        audio, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE, f"{path} has {rate} Hz"
        segments = whisper.transcribe(audio, no_timestamps=not long, no_context=True)
        return " ".join(segment.text for segment in segments).strip(), len(audio) / rate

    return transcribe


def optimum(model: str, threads: int) -> Transcribe:
    import onnxruntime
    import soundfile
    import torch
    from optimum.onnxruntime import ORTModelForSpeechSeq2Seq
    from transformers import WhisperProcessor

    torch.set_num_threads(threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    processor = WhisperProcessor.from_pretrained(model)
    # It finds the files by itself; given their names, it would ask for a decoder_with_past beside the merged one.
    whisper = ORTModelForSpeechSeq2Seq.from_pretrained(model, session_options=options)

    def transcribe(path: str, long: bool) -> tuple[str, float]:
        audio, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE, f"{path} has {rate} Hz"
        whole = {"truncation": False, "padding": "longest", "return_attention_mask": True} if long else {}
        inputs = processor(audio, sampling_rate=rate, return_tensors="pt", **whole)
        with torch.inference_mode():
            tokens = whisper.generate(**inputs, language="en", task="transcribe", num_beams=1, return_timestamps=long)
        return processor.batch_decode(tokens, skip_special_tokens=True)[0].strip(), len(audio) / rate

    return transcribe


#: Contestant → how to load it, and the distributions whose versions matter.
CONTESTANTS: dict[str, tuple[Callable[[str, int], Transcribe], tuple[str, ...]]] = {
    "edgekit": (edgekit, ("edgekit-ml", "onnxruntime")),
    "faster-whisper-int8": (lambda m, n: faster_whisper(m, n, "int8"), ("faster-whisper", "ctranslate2")),
    "faster-whisper-float32": (lambda m, n: faster_whisper(m, n, "float32"), ("faster-whisper", "ctranslate2")),
    "pywhispercpp-q8_0": (pywhispercpp, ("pywhispercpp",)),
    "optimum-int8": (optimum, ("optimum-onnx", "onnxruntime", "transformers", "torch")),
}


def serve(name: str, model: str, threads: int) -> None:
    """Load, then answer requests until stdin ends."""
    answers = _private_stdout()
    load, distributions = CONTESTANTS[name]
    started = time.perf_counter()
    transcribe = load(model, threads)
    loaded = time.perf_counter() - started
    exact = _forget_peak()
    versions = ", ".join(f"{d} {importlib.metadata.version(d)}" for d in distributions)
    _answer(answers, {"loaded": loaded, "version": versions, "python": platform.python_version()})
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "memory":
            answer = {"peak": _peak(), "exact": exact}
            _forget_peak()
        else:
            answer = _timed(transcribe, request["path"], request["long"])
        _answer(answers, answer)


def _timed(transcribe: Transcribe, path: str, long: bool) -> dict[str, Any]:
    cpu, started = time.process_time(), time.perf_counter()
    text, audio_seconds = transcribe(path, long)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"text": text, "seconds": seconds, "audio_seconds": audio_seconds, "cpu": cpu}


def _forget_peak() -> bool:
    """Have the kernel start the peak (VmHWM) anew, so that it is of the transcribing and not of the load."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _peak() -> int | None:
    """The most that was resident since `_forget_peak`, in bytes, as the kernel kept it; None where it does not."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
    return int(kilobytes) * 1024 if kilobytes else None


def _private_stdout() -> int:
    """A copy of stdout that only we know; what tools print goes to stderr."""
    channel = os.dup(1)
    os.dup2(2, 1)
    return channel


def _answer(channel: int, answer: dict[str, Any]) -> None:
    os.write(channel, (json.dumps(answer) + "\n").encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One contestant; see the module's docstring.")
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("model", help="folder or file that the tool loads")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    serve(arguments.name, arguments.model, arguments.threads)
