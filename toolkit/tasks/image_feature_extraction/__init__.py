"""Image feature extraction: from a picture to a vector of length 1; similar pictures have similar directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Predictor, Runner, Sample, Task
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.evidence.pictures import PICTURES


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.image_feature_extraction.views import samples

    return samples(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.image_feature_extraction.views import Views

    return Views(parts, folder, facts)


TASK = Task(
    "image-feature-extraction",
    "picture",
    "answers",
    _samples,
    _predictor,
    golden="data/golden/espresso.png",
    evidence=PICTURES,
    agreement=of_vectors(cosine=0.97, ranks=0.97),
)
