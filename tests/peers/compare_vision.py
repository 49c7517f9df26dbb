"""EfficientNet-Lite0: fp32, our int8, and what onnxruntime's own static quantization makes of the same fp32 file.

python tests/peers/compare_vision.py ../shared/data/imagenet-sample

Every fifth photo calibrates, the others test. Latencies are interleaved in one process, in random order; ratios are
taken turn by turn, so that a noisy neighbour meets both sides.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import edgekit
from edgekit.models import _image
from edgekit.models._vision import samples
from edgekit.registry import find

MODEL = find("models", "efficientnet-lite0")
TURNS, TIMES = 120, 3

Photos = NDArray[np.uint8]


class Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, photos: Photos) -> None:
        self._left: Iterator[Mapping[str, Any]] = iter([{"pixels": photo[None]} for photo in photos])

    def get_next(self) -> Mapping[str, Any] | None:
        return next(self._left, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    folder = parser.parse_args().photos
    labels = (Path(_image.__file__).parent / "data" / "imagenet-labels.txt").read_text().splitlines()
    listed = samples(folder, labels)
    photos = np.stack([_image.cropped(_image.open_image(one.input)[0], 256, 224, 224) for one in listed])
    truths = np.array([labels.index(one.truth) for one in listed])
    test = np.arange(len(listed)) % 5 != 0
    with tempfile.TemporaryDirectory() as work:
        files = made(Path(work), folder, photos[~test])
        print("| network | bytes | top-1 |\n|---|---|---|")
        for name, file in files.items():
            run = session(file, os.cpu_count() or 1)
            right = [run.run(None, {"pixels": p[None]})[0].argmax() for p in photos[test]] == truths[test]
            print(f"| {name} | {file.stat().st_size:,} | {np.mean(right):.2%} |", flush=True)
        for threads in (1, 2):
            print(f"\n| {threads} thread(s) | median, ms | least, ms | times ours (p10 .. p90) |\n|---|---|---|---|")
            spent = latencies({name: session(file, threads) for name, file in files.items()}, photos[test])
            for name, values in spent.items():
                ratio = values / spent["edgekit int8"]
                low, middle, high = np.quantile(ratio, (0.1, 0.5, 0.9))
                spread = f"{middle:.2f} ({low:.2f} .. {high:.2f})"
                print(f"| {name} | {np.median(values):.2f} | {values.min():.2f} | {spread} |", flush=True)


def made(work: Path, folder: Path, calibration: Photos) -> dict[str, Path]:
    """Name -> ONNX file, all of the same weights and the same calibration photos."""
    chosen = work / "calibration"
    chosen.mkdir()
    (chosen / "images").symlink_to((folder / "images").resolve())
    with (folder / "labels.csv").open(newline="") as file, (chosen / "labels.csv").open("w", newline="") as out:
        rows = list(csv.reader(file))
        csv.writer(out).writerows([rows[0], *rows[1::5]])
    files = {}
    for precision in ("fp32", "int8"):
        bundle = edgekit.export(
            MODEL.name, "laptop", precision=precision, calibration=chosen, out=work / precision, fallback=False
        )
        files[f"edgekit {precision}"] = bundle.path / "network.onnx"
    ready = work / "ready.onnx"
    quant_pre_process(str(files["edgekit fp32"]), str(ready))
    options: dict[str, dict[str, Any]] = {
        "onnxruntime default": {},
        "onnxruntime, per channel, uint8 activations": {"per_channel": True, "activation_type": QuantType.QUInt8},
    }
    for number, (name, given) in enumerate(options.items()):
        files[name] = work / f"peer{number}.onnx"
        quantize_static(str(ready), str(files[name]), Reader(calibration), **given)
    return files


def session(file: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def latencies(sessions: Mapping[str, Any], photos: Photos) -> dict[str, NDArray[np.float64]]:
    """Name -> milliseconds a turn (the least of `TIMES` in a row)."""
    random, spent = np.random.default_rng(0), {name: np.zeros(TURNS) for name in sessions}
    for turn in range(-10, TURNS):  # the first ones warm up
        feeds = {"pixels": photos[turn % len(photos)][None]}
        for name in random.permutation(list(sessions)):
            least = float("inf")
            for _ in range(TIMES):
                began = time.perf_counter()
                sessions[name].run(None, feeds)
                least = min(least, time.perf_counter() - began)
            if turn >= 0:
                spent[name][turn] = least * 1e3
    return spent


if __name__ == "__main__":
    main()
