"""Mean intersection over union: counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.bench import metrics
from edgekit.bench.metrics import areas
from edgekit.errors import BadInput

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)


def test_counted_by_hand() -> None:
    mine = np.array([[0, 1, 1, 1], [0, 0, 0, 7]], np.uint8)
    pairs = areas.areas([mine], [TRUTH])
    assert pairs[0] == (5.0, 7.0)  # of 7 pixels that count, 5 are right
    assert areas.mean_iou(pairs) == pytest.approx((3 / 5 + 2 / 4) / 2)
    assert areas.mean_iou(areas.areas([TRUTH % 255], [TRUTH])) == 1.0


def test_classes_are_pooled_over_pictures() -> None:
    all_right = areas.areas([TRUTH % 255, np.zeros((2, 4), np.uint8)], [TRUTH, np.zeros((2, 4), np.uint8)])
    assert areas.mean_iou(all_right) == 1.0
    half = areas.areas([np.zeros((1, 4)), np.ones((1, 4))], [np.zeros((1, 4)), np.zeros((1, 4))])
    assert areas.mean_iou(half) == pytest.approx((4 / 8 + 0 / 4) / 2)
    assert metrics.difference(metrics.find("miou"), half, half, []).value == 0.0


def test_masks_must_fit() -> None:
    with pytest.raises(BadInput, match="does not fit"):
        areas.areas([np.zeros((2, 3))], [TRUTH])
    with pytest.raises(BadInput, match="no truth"):
        areas.areas([TRUTH], [None])
    with pytest.raises(BadInput, match="same samples"):
        areas.areas([], [TRUTH])
    with pytest.raises(BadInput, match="class above 255"):
        areas.areas([np.full((2, 4), 300)], [TRUTH])
    with pytest.raises(BadInput, match="no weight"):
        metrics.aggregate(metrics.find("miou"), areas.areas([TRUTH % 255], [np.full((2, 4), 255)]))
