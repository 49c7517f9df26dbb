"""Bundles for Android without weights: parts that nobody opens, and everything around them as an export writes it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile
from helpers.devices.spoken_stream import FACTS
from helpers.toys.toy_pieces import tokenizer
from helpers.toys.toy_whisper import ToyWhisper
from numpy.typing import NDArray
from PIL import Image

from edgekit.bundles.bundle import inventory
from edgekit.bundles.manifest import (
    NAME,
    Golden,
    Manifest,
    ModelFacts,
    PartFacts,
    RecipeFacts,
    SourceFacts,
    TargetFacts,
    Tensor,
    Verdict,
    encode,
)

RUNTIME = {
    "onnx": "maven:com.microsoft.onnxruntime:onnxruntime-android:1.23.4",
    "litert": "maven:com.google.ai.edge.litert:litert:2.1.0",
    "gguf": "llama.cpp as of llama-cpp-python 0.3.36, built with the NDK",
}
TASKS = {
    "whisper": "automatic-speech-recognition", "vision": "image-classification", "keyword": "audio-classification",
    "speaker": "audio-speaker-verification", "openwakeword": "audio-classification", "language": "text-generation",
    "silero": "voice-activity-detection", "policy": "reinforcement-learning", "forecasting": "time-series-forecasting",
    "sentences": "feature-extraction", "music": "automatic-music-transcription",
    "ppocr": "image-to-text", "vits": "text-to-speech",
}  # fmt: skip


def made_up(
    folder: Path,
    family: str,
    parts: Sequence[tuple[str, Sequence[Tensor], Sequence[Tensor]]],
    facts: Mapping[str, Any],
    *,
    exporter: str = "onnx",
    task: str = "",
    reference: Mapping[str, NDArray[Any]] | None = None,
    name: str = "",
    answer: str = "yes",
    size: int = 1000,
) -> Path:
    """Write a bundle that says of itself what is given; `size` bytes a part."""
    suffix = {"onnx": "onnx", "litert": "tflite", "gguf": "gguf"}[exporter]
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    (folder / "licences").mkdir()
    (folder / "licences" / "weights.txt").write_text("do as you like")
    for i, (part, _, _) in enumerate(parts):
        (folder / f"{part}.{suffix}").write_bytes(bytes([i]) * size)
    task = task or TASKS[family]
    golden = _golden(folder, task)
    np.savez(
        folder / "golden" / "reference.npz", allow_pickle=False, **(reference or {"p/0/x": np.ones(3, np.float32)})
    )
    manifest = Manifest(
        schema=2,
        edgekit="0.1.0",
        key="0",
        model=ModelFacts(name=name or f"toy-{family}", family=family, task=task, parameters=1),
        source=SourceFacts(uri="hf://me/it", revision="1", format="safetensors", pinned=True, files={}),
        target=TargetFacts(name="android", system="Android 8 or later", processor="arm64-v8a", runtime=RUNTIME),
        recipe=RecipeFacts(exporter=exporter, precision="fp32"),
        parts=[
            PartFacts(name=part, file=f"{part}.{suffix}", inputs=list(ins), outputs=list(outs), census={}, parity=0.0)
            for part, ins, outs in parts
        ],
        facts=dict(facts),
        golden=Golden(input=golden, reference="golden/reference.npz", output=answer, reference_output=answer),
        gate=Verdict(verdict="not measured", reason="no --data"),
        attempts=[],
        licences={"weights": "MIT", "edgekit": "Apache-2.0"},
        versions={},
        files=inventory(folder),
    )
    (folder / NAME).write_bytes(encode(manifest))
    return folder


def _golden(folder: Path, task: str) -> str:
    """Write the golden input of a task; its name."""
    rng = np.random.default_rng(0)
    if task == "reinforcement-learning":
        np.savez(folder / "golden" / "input.npz", observations=rng.normal(0, 1, (3, 4)).astype(np.float32))
        return "golden/input.npz"
    if task == "tensors":
        np.savez(folder / "golden" / "input.npz", h=rng.normal(0, 1, (1, 4)).astype(np.float32))
        return "golden/input.npz"
    if task == "time-series-forecasting":
        (folder / "golden" / "input.csv").write_text("day,value\n1,3.5\n2,\n3,4.25\n")
        return "golden/input.csv"
    if task in ("feature-extraction", "text-to-speech"):
        (folder / "golden" / "input.txt").write_text("[[ the fox ]]\n")
        return "golden/input.txt"
    if task in (
        "image-classification",
        "object-detection",
        "image-segmentation",
        "keypoint-detection",
        "image-to-text",
    ):
        pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "golden" / "input.png")
        return "golden/input.png"
    soundfile.write(folder / "golden" / "input.wav", np.sin(np.arange(48_000) / 7) / 2, 16_000, "PCM_16")
    return "golden/input.wav"


def changed(folder: Path, **fields: Any) -> Path:
    """The bundle's manifest with other fields, signed again, as somebody hostile would."""
    from edgekit.bundles.manifest import decode

    manifest = decode((folder / NAME).read_bytes())
    (folder / NAME).write_bytes(encode(msgspec.structs.replace(manifest, **fields)))
    return folder


def tensor(name: str, dtype: str, *shape: int | str) -> Tensor:
    return Tensor(name=name, dtype=dtype, shape=list(shape))


def toy_whisper_bundle(folder: Path, toy: ToyWhisper, **options: Any) -> Path:
    """Of the toy, whose decoder follows a script."""
    folder.mkdir(parents=True)
    shutil.copyfile(toy.folder / "tokenizer.json", folder / "tokenizer.json")
    past = tensor("past_key_0", "float32", "hypotheses", 1, "past", 1)
    parts = [("frontend", [], []), ("encoder", [], []), ("decoder", [past], [])]
    return made_up(folder, "whisper", parts, toy.facts, **options)


_KEYWORDS = {
    "labels": ["yes", "no", "silence"],
    "rules": {"frames": 49, "hop": 12, "smoothed": 2, "threshold": 200, "refractory": 4, "words": 2},
    "frontend": {"rate": 16_000, "window": 480, "step": 320},
}


def stream_bundle(folder: Path, toy: ToyWhisper) -> Path:
    """The same with words and a detector of speech, as `helpers.devices.spoken_stream` has them."""
    folder.mkdir(parents=True)
    shutil.copyfile(toy.folder / "tokenizer.json", folder / "tokenizer.json")
    past = tensor("past_key_0", "float32", "hypotheses", 1, "past", 1)
    queries = tensor("alignment_queries", "float32", 1, "hypotheses", "tokens", 2)
    state = tensor("h", "float32", 1, 1)
    parts = [("frontend", [], []), ("encoder", [], []), ("decoder", [past], [queries]), ("detector", [state], [])]
    return made_up(folder, "whisper", parts, {**toy.facts, **FACTS})


def toys(folder: Path, toy: ToyWhisper) -> dict[str, Path]:
    """One bundle of every family that phones have loops for."""
    pixels = [tensor("pixels", "uint8", 1, 8, 8, 3)]
    scores = [tensor("logits", "float32", 1, 2)]
    window = [tensor("window", "float32", 1, 49, 10, 1)]
    audio = [tensor("audio", "float32", "clips", 25_840)]
    vision = {"height": 8, "width": 8, "labels": ["cat", "dog"], "activation": "softmax"}
    speaker = {"threshold": {"value": 0.6}, "window": {"least": 16_000, "most": 160_000}}
    return {
        "whisper": toy_whisper_bundle(folder / "whisper", toy),
        "vision": made_up(folder / "vision", "vision", [("network", pixels, scores)], vision),
        "keyword": made_up(
            folder / "keyword", "keyword", [("frontend", [], window), ("network", window, scores)], _KEYWORDS,
            exporter="litert",
        ),
        "speaker": made_up(folder / "speaker", "speaker", [("frontend", audio, []), ("network", [], [])], speaker),
        **_toys_of_tasks(folder),
    }  # fmt: skip


def _toys_of_tasks(folder: Path) -> dict[str, Path]:
    """Of the tasks whose loops read nothing but the bundle's facts."""
    pixels = [tensor("pixels", "uint8", 1, 8, 8, 3)]
    states = [tensor("h", "float32", 1, 4)]
    tokens = [tensor("input_ids", "int64", 1, "tokens"), tensor("attention_mask", "int64", 1, "tokens")]
    boxes = {"height": 8, "width": 8, "labels": ["cat"], "activation": "sigmoid", "threshold": 0.5, "overlap": 0.3}
    areas = {"height": 8, "width": 8, "labels": ["nothing", "cat"], "activation": "sigmoid"}
    speech = {"hop": 512, "context": 64, "states": {"h": "h_after"}, "rules": {}, "sample_rate": 16_000}
    music = {"sample_rate": 16_000, "window": 4096, "overlap": 6, "frame": 64, "frames_per_second": 250, "lowest": 21}
    music |= {"drift": {"frames": 64, "seconds": 0.001}}
    music |= {"rules": {"onset": 0.5, "frame": 0.3, "shortest": 5, "tolerance": 5}}
    text = {"side": 8, "height": 4, "width": 8, "turn_width": 8, "turned": 0.9, "least": 0.5, "characters": ["a"]}
    text |= {"lines": {"pixel": 0.3, "line": 0.5, "growth": 1.5, "most": 9}}
    series = {"context": 64, "horizon": 8, "levels": [0.1, 0.5, 0.9], "observed": 2}
    series["periods"] = {"most": 2, "least": 2, "alpha": 0.05, "bins": 4}
    sentences = {"tokenizer": {"file": "tokenizer.json", "most": 16, "pad": "[PAD]", "side": "right"}}
    voice = {"sample_rate": 8000, "hop": 4, "window": 40, "halo": 3, "most": 64, "pause": 0.1, "voice": "en"}
    voice |= {"manner": {"speed": 1.0, "noise": 0.5, "rhythm": 0.3, "seed": 0}}
    voice |= {"alphabet": {letter: [number] for number, letter in enumerate("_^$ abcdefghijklmnopqrstuvwxyz")}}
    phonemes = [tensor("phonemes", "int64", 1, "phonemes")]
    latents = [tensor("latents", "float32", 1, 3, "frames")]
    place = folder / "sentences"
    place.mkdir(parents=True)
    tokenizer(place / "tokenizer.json")
    return {
        "silero": made_up(folder / "silero", "silero", [("network", states, [])], speech),
        "music": made_up(folder / "music", "music", [("network", [], [])], music),
        "ppocr": made_up(
            folder / "ppocr", "ppocr", [("detector", pixels, []), ("turn", [], []), ("recogniser", [], [])], text
        ),
        "arrays": made_up(folder / "arrays", "imported", [("network", states, states)], {}, task="tensors"),
        "vits": made_up(folder / "vits", "vits", [("encoder", phonemes, []), ("decoder", latents, [])], voice),
        "policy": made_up(folder / "policy", "policy", [("network", states, states)], {"limit": 1.0}),
        "boxes": made_up(folder / "boxes", "mediapipe", [("network", pixels, [])], boxes, task="object-detection"),
        "areas": made_up(folder / "areas", "mediapipe", [("network", pixels, [])], areas, task="image-segmentation"),
        "keypoints": made_up(
            folder / "keypoints", "mediapipe", [("detector", pixels, []), ("landmarks", pixels, [])],
            {"detector": boxes, "region": {}, "size": 8, "presence": 0.5, "most": 1, "names": ["tip"], "links": []},
            task="keypoint-detection",
        ),
        "forecasting": made_up(folder / "forecasting", "forecasting", [("network", states, [])], series),
        "sentences": made_up(place, "sentences", [("network", tokens, states)], sentences),
    }  # fmt: skip
