"""EfficientNet-Lite0 in int8: ours beside onnxruntime's own quantization, OpenVINO + NNCF, and ExecuTorch's XNNPACK.

    make vision-peers          or: python tests/peers/compare_vision.py ../shared/data/imagenet-sample

All are made of the same weights and the same photos: every fifth calibrates, the others test. Each lives in a process
of its own, in the environment that has its runtime, and only one works at a time: in every turn all of them classify
the same photo, in an order that is drawn anew; ratios are taken turn by turn, so that a noisy neighbour meets all.
Exit status 1: a peer is faster than our best int8 file.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
from _turns import Contestant, Entry, Failed  # noqa: E402
from _vision_makers import TOOLS  # noqa: E402
from _vision_page import Accuracy, Latencies, faster, page  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

import edgekit  # noqa: E402
from edgekit.models.vision.imagenet import labels  # noqa: E402
from edgekit.registry import find  # noqa: E402
from edgekit.tasks.common import pictures  # noqa: E402
from edgekit.tasks.image_classification import samples  # noqa: E402

MODEL = "efficientnet-lite0"
THREADS = (1, 2)
#: Calls in a row that a turn takes the least of; turns that only warm up.
TIMES, WARMUPS = 3, 5
#: Seconds between two contestants: thread pools spin for some milliseconds after their last work.
SETTLE = 0.03
#: Ours: name -> (exporter, precision, how the file ends).
OURS = {
    "edgekit fp32, onnx": ("onnxruntime", "fp32", ".onnx"),
    "edgekit int8, onnx": ("onnxruntime", "int8", ".onnx"),
    "edgekit int8, openvino": ("openvino", "int8", ".onnx"),
    "edgekit int8, litert": ("litert", "int8", ".tflite"),
}
#: Theirs: name -> (tool, runtime).
THEIRS = {
    "onnxruntime static, default": ("onnxruntime-default", "onnxruntime"),
    "onnxruntime static, per channel, uint8": ("onnxruntime-uint8", "onnxruntime"),
    "OpenVINO + NNCF": ("openvino-nncf", "openvino"),
    "ExecuTorch XNNPACK, PT2E": ("executorch-xnnpack", "executorch"),
}


@dataclass(frozen=True)
class Network:
    """Who takes part: its interpreter, how its worker is to run it, its file; or why not (`missing`)."""

    name: str
    python: Path
    runtime: str
    file: Path
    missing: str = ""


@dataclass(frozen=True)
class Photos:
    """Files of numpy: uint8 [N, 224, 224, 3] to calibrate with and to test on; and the classes of the latter."""

    calibration: Path
    test: Path
    truths: NDArray[np.int64]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--peers", type=Path, default=Path(".venv-vision/bin/python"), help="the peers' interpreter")
    parser.add_argument("--work", type=Path, help="keep what is made here, and take what is there")
    parser.add_argument("--turns", type=int, default=120)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        photos = opened(given.photos, work)
        networks = [*ours(given.photos, work), *theirs(given.peers, photos, work)]
        accuracies, versions = classified(networks, photos, work)
        spent = {threads: latencies(networks, photos, threads, given.turns, work) for threads in THREADS}
    text = page(accuracies, spent, versions, len(photos.truths), given.turns)
    print(text)
    if given.markdown:
        given.markdown.write_text(text, encoding="utf-8")
    if given.json:
        raw = {str(n): {name: list(values) for name, values in one.items()} for n, one in spent.items()}
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps({"milliseconds": raw, "versions": versions}), encoding="utf-8")
    return int(any(faster(one) for one in spent.values()))


def opened(folder: Path, work: Path) -> Photos:
    """The photos as the networks are given them, in files that every environment can read."""
    names = list(labels())
    listed = samples(folder, names)
    photos = np.stack([pictures.resize_and_crop(pictures.open_image(one.input)[0], 256, 224, 224) for one in listed])
    test = np.arange(len(listed)) % 5 != 0
    np.save(work / "calibration.npy", photos[~test])
    np.save(work / "test.npy", photos[test])
    truths = np.array([names.index(one.truth) for one in listed])[test]
    return Photos(work / "calibration.npy", work / "test.npy", truths)


def ours(folder: Path, work: Path) -> list[Network]:
    chosen = work / "calibration"
    if not chosen.exists():
        chosen.mkdir()
        (chosen / "images").symlink_to((folder / "images").resolve())
        with (folder / "labels.csv").open(newline="") as file, (chosen / "labels.csv").open("w", newline="") as out:
            rows = list(csv.reader(file))
            csv.writer(out).writerows([rows[0], *rows[1::5]])
    found = []
    for name, (exporter, precision, ending) in OURS.items():
        file = work / f"{exporter}-{precision}" / f"network{ending}"
        if not file.exists():
            tell(f"making {name}")
            edgekit.export(
                MODEL,
                "laptop",
                runtime=exporter,
                precision=precision,
                calibration=chosen,
                out=file.parent,
                fallback=False,
            )
        found.append(Network(name, Path(sys.executable), f"edgekit-{exporter}", file))
    return found


def theirs(python: Path, photos: Photos, work: Path) -> list[Network]:
    """What the other tools make; the two that start from torch get the network without its pixels' arithmetic."""
    program = work / "float.pt2"
    if not program.exists():
        exported(program)
    found = []
    for name, (tool, runtime) in THEIRS.items():
        file = work / f"{tool}{TOOLS[tool][1]}"
        source = work / "onnx-fp32" / "network.onnx" if runtime == "onnxruntime" else program
        why = "" if python.exists() else f"{python} is not there; make vision-peers builds it"
        if not why and not file.exists():
            tell(f"making {name}")
            command = [str(python), str(HERE / "_vision_makers.py"), tool, source, photos.calibration, file]
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
            if done.returncode:
                why = (done.stderr.strip().splitlines() or ["it failed"])[-1][:200]
        found.append(Network(name, python, runtime, file, why))
    return found


def exported(out: Path) -> None:
    """The float network as a program of torch.export: normalised pixels float32 [1, 3, 224, 224] -> logits."""
    import torch

    from edgekit.formats.checkpoint import read_checkpoint
    from edgekit.sources.fetching import fetch

    model = find("models", MODEL)
    net = model.network.parts[0].build(read_checkpoint(fetch(model.weights.sources)[0]))

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> Any:
            features = self.net.head(self.net.blocks(self.net.stem(x)))
            return self.net.classifier(features.mean((2, 3)))

    torch.export.save(torch.export.export(Network().eval(), (torch.zeros(1, 3, 224, 224),)), out)


def started(networks: Sequence[Network], photos: Photos, threads: int, work: Path) -> list[Contestant]:
    """The workers of those that can take part. The others are named on stderr."""
    found = []
    for network in networks:
        entry = Entry(network.name, network.python, network.file, network.missing)
        log = work / f"{network.runtime}-{network.file.stem}.log"
        try:
            found.append(
                Contestant(entry, threads, log, network.runtime, "_vision_worker.py", ["--photos", str(photos.test)])
            )
        except Failed as exc:
            print(f"{network.name}: {exc}", file=sys.stderr)
    return found


def closing(contestants: Sequence[Contestant], work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        for contestant in contestants:
            contestant.close()


def classified(networks: Sequence[Network], photos: Photos, work: Path) -> tuple[list[Accuracy], dict[str, str]]:
    contestants = started(networks, photos, 2, work)
    files = {network.name: network.file for network in networks}

    def all_of_them() -> tuple[list[Accuracy], dict[str, str]]:
        found = []
        for one in contestants:
            tell(f"classifying with {one.name}")
            right = np.array(one.ask(classify=True)["classes"]) == photos.truths
            # OpenVINO's weights lie beside its graph.
            size = sum(f.stat().st_size for f in {files[one.name], files[one.name].with_suffix(".bin")} if f.exists())
            found.append(Accuracy(one.name, size, float(np.mean(right))))
        return found, {one.name: one.loaded["version"] for one in contestants}

    result: tuple[list[Accuracy], dict[str, str]] = closing(contestants, all_of_them)
    return result


def latencies(networks: Sequence[Network], photos: Photos, threads: int, turns: int, work: Path) -> Latencies:
    """Name -> milliseconds of every turn (the least of `TIMES` in a row)."""
    contestants = started(networks, photos, threads, work)
    random, spent = np.random.default_rng(threads), {one.name: np.zeros(turns) for one in contestants}

    def take_turns() -> Mapping[str, NDArray[np.float64]]:
        for turn in range(-WARMUPS, turns):
            tell(f"{threads} thread(s), turn {turn} of {turns}")
            for at in random.permutation(len(contestants)):
                time.sleep(SETTLE)
                seconds = contestants[at].ask(photo=turn % len(photos.truths), times=TIMES)["seconds"]
                if turn >= 0:
                    spent[contestants[at].name][turn] = min(seconds) * 1e3
        return spent

    result: Latencies = closing(contestants, take_turns)
    return result


def tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
