"""Image to text: which letters stand in a picture, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Facts, Prediction, Sample, Task
from edgekit.tasks.common.agreement import same_value, share_in_common
from edgekit.tasks.common.folders import manifest_samples, plain_samples
from edgekit.tasks.common.pictures import images_below
from edgekit.tasks.evidence.lettering import LETTERING
from edgekit.tasks.image_to_text.reader import TextReader, draw_prediction


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"image", "text"}, paths relative to the folder); without it every picture below,
    without a truth.

    Raises:
        BadInput: another layout, or an absent file.
    """
    if not (folder / "manifest.jsonl").is_file():
        return plain_samples(images_below(folder), folder, "neither a manifest.jsonl nor any picture")
    return manifest_samples(folder, "image", _text, '{"image": ..., "text": ...}')


def _text(entry: Facts) -> str:
    if not isinstance(entry["image"], str) or not isinstance(entry["text"], str):
        raise TypeError("both are texts")
    return str(entry["text"])


_COMMON = "letters in common with fp32's"


def _answer(prediction: Prediction) -> str:
    return str(prediction.output)


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    from edgekit.bench import metrics

    return {_COMMON: share_in_common(metrics.cer(answers, reference))}


TASK = Task(
    "image-to-text",
    "picture",
    "answers",
    lambda folder, labels: samples(folder),
    TextReader,
    metric="cer",
    golden="data/golden/lettering.png",
    # Of a stranger's network no rate is known that would be too high; its loss is judged.
    evaluation=Evaluation("cer", worst=None, drop=0.01, minimum=20),
    evidence=LETTERING,
    agreement=Agreement("the same text", _answer, same_value, bar=0.8, figures=_figures, bars={_COMMON: 0.98}),
    show=draw_prediction,
)
