"""Image feature extraction: from a picture to a vector of length 1; similar pictures have similar directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import np
from edgekit.core import Facts, Runner, Sample, Task, fact_of
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.common.folders import plain_samples
from edgekit.tasks.common.pictures import Resize, images_below, pixels_of
from edgekit.tasks.common.vectors import Embedder, Vector, unit
from edgekit.tasks.evidence.pictures import PICTURES


class Views(Embedder):
    """Pictures as vectors. `facts`: ``height``, ``width``, ``resize`` (`edgekit.tasks.common.pictures.fit_image`)."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._rule = parts["network"], fact_of(facts, "resize", Resize, Resize())
        self._size = (fact_of(facts, "height", int), fact_of(facts, "width", int))

    def vector(self, sample: Any) -> tuple[Vector, list[str]]:
        """Of a file, or an array uint8 [height, width, 3] of any size."""
        pixels, notes = pixels_of(sample, self._rule, *self._size)
        image, output = self._network.inputs[0], self._network.outputs[0]
        return unit(self._network({image.name: np.ascontiguousarray(pixels)[None]})[output.name]), notes


def samples(folder: Path) -> Sequence[Sample]:
    """Every picture below a folder, without a truth. Raises BadInput if there is none."""
    return plain_samples(images_below(folder), folder, "no picture")


TASK = Task(
    "image-feature-extraction",
    "picture",
    "answers",
    lambda folder, labels: samples(folder),
    Views,
    golden="data/golden/espresso.png",
    evidence=PICTURES,
    agreement=of_vectors(cosine=0.97, ranks=0.97),
)
