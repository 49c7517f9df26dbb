"""The models that are compared; what they are given, real and random; and what the specification answers."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core import Part
from edgekit.runtimes.tflite_micro.runner import MicroRunner
from edgekit.tasks.common.pictures import images_below, open_image, resize_image

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Subject:
    """A model of MLPerf Tiny.

    Attributes:
        name: for people. file: stem of its .tflite. real: (shared folder) -> int8 arrays, the files' own order.
        source: what the real inputs are, for the page.
    """

    name: str
    file: str
    real: Callable[[Path], list[NDArray[Any]]]
    source: str


def _keywords(shared: Path) -> list[NDArray[Any]]:
    import numpy as np

    folder = shared / "data" / "mlperf-tiny-kws" / "features"
    return [np.fromfile(folder / name, np.int8).reshape(1, 49, 10, 1) for name, _ in keyword_labels(shared)]


def keyword_labels(shared: Path) -> list[tuple[str, int]]:
    """(file, class) of the keyword features."""
    with (shared / "data" / "mlperf-tiny-kws" / "labels.csv").open(encoding="utf-8", newline="") as file:
        return [(row["file"], int(row["class_index"])) for row in csv.DictReader(file)]


def _photos(size: int) -> Callable[[Path], list[NDArray[Any]]]:
    """Photos as the networks take them: their inputs' zero point is -128, one step a grey level."""

    def read(shared: Path) -> list[NDArray[Any]]:
        import numpy as np

        files = images_below(shared / "data" / "imagenet-sample" / "images")
        pixels = (resize_image(open_image(file)[0], size, size) for file in files)
        return [(one.astype(np.int16) - 128).astype(np.int8)[None] for one in pixels]

    return read


SUBJECTS = (
    Subject("KWS", "kws_ref_int8", _keywords, "MLPerf Tiny's features of Speech Commands"),
    Subject("VWW", "vww_96_int8", _photos(96), "photos of ImageNet at 96 x 96"),
    Subject("ResNet8", "resnet8_int8", _photos(32), "photos of ImageNet at 32 x 32"),
    Subject("anomaly", "ad01_int8", lambda _: [], "none at hand: random ones only"),
)


@dataclass(frozen=True)
class Inputs:
    """Inputs and what tflite-micro makes of them, in the same order."""

    random: Sequence[NDArray[Any]]
    real: Sequence[NDArray[Any]]
    random_outputs: Sequence[NDArray[Any]]
    real_outputs: Sequence[NDArray[Any]]

    def mixed(self, count: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """`count` pairs, half of them real where there are real ones, taken evenly."""
        real = list(zip(self.real, self.real_outputs, strict=True))
        random = list(zip(self.random, self.random_outputs, strict=True))
        chosen = evenly(real, count // 2)
        return chosen + evenly(random, count - len(chosen))


def evenly(values: Sequence[Any], count: int) -> list[Any]:
    """`count` of `values`, or all if there are fewer."""
    count = min(count, len(values))
    return [values[i * len(values) // count] for i in range(count)]


def inputs_of(
    subject: Subject, model: Path, part: Part, shared: Path, random: int, real: int | None, seed: int = 1
) -> Inputs:
    """Random and real inputs with their answers.

    Args:
        random: how many random ones: one half uniform, one half normal around zero, so that not all of them saturate.
        real: how many real ones, evenly; None takes all.
    """
    import numpy as np

    rng, shape = np.random.default_rng(seed), tuple(int(size) for size in part.inputs[0].shape)
    made = [
        rng.integers(-128, 128, shape).astype(np.int8)
        if i % 2
        else np.clip(rng.normal(0, rng.uniform(2, 60), shape), -128, 127).astype(np.int8)
        for i in range(random)
    ]
    found = subject.real(shared)
    found = found if real is None else evenly(found, real)
    return Inputs(made, found, answers(model, part, made), answers(model, part, found))


def answers(model: Path, part: Part, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """What tflite-micro's interpreter computes on this computer."""
    runner = MicroRunner(model.read_bytes(), part.inputs, part.outputs)
    return [runner({part.inputs[0].name: value})[part.outputs[0].name] for value in inputs]
