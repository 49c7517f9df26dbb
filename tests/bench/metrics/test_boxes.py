"""Mean average precision: the numbers of pycocotools on random pictures, and cases that can be counted by hand."""

from __future__ import annotations

import contextlib
import io
import random
from typing import Any

import pytest

from edgekit.bench import metrics
from edgekit.bench.metrics import boxes
from edgekit.errors import BadInput


def truth(label: str, *box: float, crowd: bool = False) -> dict[str, Any]:
    return {"label": label, "box": list(box), "crowd": crowd}


def answer(label: str, score: float, *box: float) -> dict[str, Any]:
    return {"label": label, "score": score, "box": list(box)}


def test_counted_by_hand() -> None:
    truths = [[truth("cat", 0, 0, 10, 10)], [truth("cat", 0, 0, 10, 10)]]
    right = [[answer("cat", 0.9, 0, 0, 10, 10)], [answer("cat", 0.8, 0, 0, 10, 10)]]
    assert boxes.average_precision(boxes.scenes(right, truths)) == pytest.approx(1.0)
    half = [right[0], []]  # recall 0.5 at precision 1: 51 of 101 recalls
    assert boxes.average_precision(boxes.scenes(half, truths)) == pytest.approx(51 / 101)
    loose = [[answer("cat", 0.9, 0, 0, 10, 6)], [answer("cat", 0.8, 0, 0, 10, 6)]]  # IoU 0.6: 3 of 10 overlaps
    assert boxes.average_precision(boxes.scenes(loose, truths)) == pytest.approx(0.3)
    assert boxes.average_precision_at_half(boxes.scenes(loose, truths)) == pytest.approx(1.0)
    twice = [[answer("cat", 0.9, 0, 0, 10, 10), answer("cat", 0.95, 0, 0, 10, 9)], right[1]]
    assert boxes.average_precision(boxes.scenes(twice, truths)) < 1.0


def test_nothing_to_find_has_no_precision() -> None:
    pairs = boxes.scenes([[answer("cat", 0.5, 0, 0, 1, 1)]], [[]])
    with pytest.raises(BadInput, match="no weight"):
        metrics.aggregate(metrics.find("map"), pairs)


def test_truths_and_answers_are_of_the_same_pictures() -> None:
    with pytest.raises(BadInput, match="same samples"):
        boxes.scenes([[]], [])
    with pytest.raises(BadInput, match="no truth"):
        boxes.scenes([[]], [None])


def test_a_difference_has_an_interval_around_it() -> None:
    truths = [[truth("cat", 0, 0, 10, 10)] for _ in range(20)]
    good = [[answer("cat", 0.9, 0, 0, 10, 10)] for _ in range(20)]
    worse = good[:15] + [[] for _ in range(5)]
    sides = [boxes.scenes(side, truths) for side in (worse, good)]
    estimate = metrics.difference(metrics.find("map"), *sides, [])
    assert estimate.low < estimate.value < estimate.high <= 0


def scattered(seed: int) -> tuple[list[Any], list[Any]]:
    """30 pictures of three classes: truths, some of them crowds, and answers near them, doubled, lost and invented."""
    draw = random.Random(seed)

    def box() -> tuple[float, ...]:
        left, top = draw.uniform(0, 80), draw.uniform(0, 80)
        return left, top, left + draw.uniform(4, 40), top + draw.uniform(4, 40)

    truths, answers = [], []
    for _ in range(30):
        wanted = [truth(draw.choice("abc"), *box(), crowd=draw.random() < 0.1) for _ in range(draw.randrange(5))]
        found = []
        for one in wanted:
            for _ in range(draw.choice((0, 1, 1, 1, 2))):
                moved = [side + draw.gauss(0, 2) for side in one["box"]]
                if moved[2] > moved[0] and moved[3] > moved[1]:
                    found.append(answer(one["label"], draw.random(), *moved))
        found += [answer(draw.choice("abcd"), draw.random(), *box()) for _ in range(draw.randrange(3))]
        truths.append(wanted)
        answers.append(found)
    return answers, truths


@pytest.mark.parametrize("seed", range(4))
def test_the_numbers_are_those_of_pycocotools(seed: int) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    answers, truths = scattered(seed)
    numbered = {label: number for number, label in enumerate("abcd", 1)}

    def listed(sides: list[Any]) -> list[dict[str, Any]]:
        entries = []
        for image, found in enumerate(sides, 1):
            for one in found:
                left, top, right, bottom = one["box"]
                entry = {"image_id": image, "category_id": numbered[one["label"]], "id": len(entries) + 1}
                entry |= {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
                entries.append(entry | {"iscrowd": int(one.get("crowd", False)), "score": one.get("score", 0)})
        return entries

    with contextlib.redirect_stdout(io.StringIO()):
        real = coco.COCO()
        real.dataset = {
            "images": [{"id": image} for image in range(1, len(truths) + 1)],
            "categories": [{"id": number, "name": label} for label, number in numbered.items()],
            "annotations": listed(truths),
        }
        real.createIndex()
        evaluation = cocoeval.COCOeval(real, real.loadRes(listed(answers)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    pairs = boxes.scenes(answers, truths)
    assert boxes.average_precision(pairs) == pytest.approx(evaluation.stats[0], abs=1e-9)
    assert boxes.average_precision_at_half(pairs) == pytest.approx(evaluation.stats[1], abs=1e-9)
