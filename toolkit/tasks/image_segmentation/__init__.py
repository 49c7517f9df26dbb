"""Image segmentation: from a picture to a class for every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.images import picture_file
from edgekit.common.lazy import NDArray, np
from edgekit.core import Agreement, Evaluation, Prediction, Sample, Task
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import need_files, plain_samples
from edgekit.tasks.common.pictures import images_below, open_image
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.image_segmentation.segmenter import Segmenter, draw_prediction, runs_of

_IMAGES, _MASKS = "images", "masks"
_IGNORED = 255
_MODES = ("L", "P", "1")


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``images/`` and ``masks/NAME.png``, whose pixels are class numbers (255: does not count); without
    masks, every picture, without a truth.

    Raises:
        BadInput: no picture, a mask that is missing, of another size, no whole numbers, or with an unknown class.
    """
    masks = folder / _MASKS
    if not masks.is_dir():
        return plain_samples(images_below(folder), folder, f"neither {_IMAGES}/ and {_MASKS}/ nor any picture")
    pictures = need_files(images_below(folder / _IMAGES), folder, f"no picture in {_IMAGES}/")
    return [Sample(str(path), _mask(masks / f"{path.stem}.png", path, len(labels)), path.name) for path in pictures]


def _mask(file: Path, picture: Path, classes: int) -> NDArray[np.uint8]:
    if not file.is_file():
        raise BadInput(f"there is no mask {file.name} in {_MASKS}/ for {picture.name}.")
    with picture_file(file) as image:
        if image.mode not in _MODES:
            raise BadInput(f"the mask {file.name} is no picture of class numbers, but of mode {image.mode}.")
        mask = np.asarray(image, np.uint8)
    size: Any = open_image(picture)[0].size
    if mask.shape != (size[1], size[0]):
        raise BadInput(
            f"the mask {file.name} has {mask.shape[1]} x {mask.shape[0]} pixels; its picture has {size[0]} x {size[1]}."
        )
    known = mask[mask != _IGNORED]
    if known.size and int(known.max()) >= classes:
        raise BadInput(f"the mask {file.name} has the class {int(known.max())}; the model knows {classes} classes.")
    return mask


SAME = 0.9
#: Cells a side in which answers are kept: a bundle holds them for `verify`.
_SIDE = 64
#: A class with a smaller share of both pictures is no area: some pixels at an edge.
_LEAST = 0.002


def answer(prediction: Prediction) -> list[int]:
    """The classes at the middles of 64 x 64 cells, as runs: class, length, class, length .."""
    classes = np.asarray(prediction.metric_input)
    rows, columns = (((np.arange(_SIDE) + 0.5) * size / _SIDE).astype(int) for size in classes.shape)
    return runs_of(classes[rows][:, columns])


def is_background(answer: Any) -> bool:
    """Whether (nearly) all of a picture is class 0."""
    other = sum(length for value, length in zip(answer[::2], answer[1::2], strict=True) if value)
    return bool(other < _LEAST * _SIDE**2)


def same_areas(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    """Whether the mean IoU over the classes of both is at least `SAME`."""
    return [overlap >= SAME for overlap in _overlaps(answers, reference)]


def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    """The mean and the least of the pictures' mean IoU."""
    overlaps = _overlaps(answers, reference)
    if not overlaps:
        return {}
    return {"mean IoU with fp32's": sum(overlaps) / len(overlaps), "least IoU of a picture": min(overlaps)}


def _overlaps(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    overlaps = []
    for sides in zip(answers, reference, strict=True):
        mine, wanted = (np.repeat(np.array(runs[::2], int), np.array(runs[1::2], int)) for runs in sides)
        shares = []
        for value in np.union1d(mine, wanted):
            either = (mine == value) | (wanted == value)
            if either.mean() >= _LEAST:
                shares.append(float(((mine == value) & (wanted == value)).sum() / either.sum()))
        overlaps.append(sum(shares) / len(shares))
    return overlaps


TASK = Task(
    "image-segmentation",
    "picture",
    "answers",
    samples,
    Segmenter,
    metric="miou",
    golden="data/golden/astronaut.png",
    # Of a stranger's network no overlap is known that would be too low; its loss is judged.
    evaluation=Evaluation("miou", worst=None, drop=0.02, minimum=100),
    evidence=PICTURES,
    agreement=Agreement(
        f"a mean IoU of at least {SAME} with fp32's areas",
        answer,
        same_areas,
        bar=0.85,
        figures=figures,
        bounds=False,
        nothing=is_background,
    ),
    show=draw_prediction,
)
