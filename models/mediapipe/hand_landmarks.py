"""MediaPipe Hands: 21 points of a hand (Zhang et al. 2020, arXiv:2006.10214). A palm detector of 192 x 192, 1.1 M
weights, and the full landmark network of 224 x 224, 2.6 M.

The detector finds palms, which are rigid, with seven points; the square around the hand is turned so that the line from
the wrist to the middle finger stands upright. Not here: which of the two hands it is, depth, and tracking from picture
to picture. MediaPipe averages boxes that overlap; here the best of them stays.
"""

from __future__ import annotations

from dataclasses import replace

from edgekit.core import Facts, Work
from edgekit.models.mediapipe.family import File, declare_model
from edgekit.models.mediapipe.pipeline import Detector, Landmarks, keypoints

_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_JOINTS = ("knuckle", "first joint", "second joint", "tip")
_NAMES = (
    "wrist",
    *(f"thumb {joint}" for joint in ("base", "knuckle", "joint", "tip")),
    *(f"{finger} {joint}" for finger in _FINGERS[1:] for joint in _JOINTS),
)
_LINKS = (
    *((start + step, start + step + 1) for start in (1, 5, 9, 13, 17) for step in range(3)),
    *((0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17)),
)
_DETECTOR = Detector(
    "detector",
    File(
        "palm_detection/palm_detection_full",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
        2_339_846,
    ),
    size=192,
    grids=((8, 2), (16, 6)),
    points=7,
    signed=False,
    label="hand",
    work=Work(
        "detector",
        "convolution",
        macs=337_333_248,
        weights=1_122_240,
        channels=9_176,
        tables=4_032 + 1_120,
        layers=63,
        activations=3_538_944,
        small=17_888,
    ),
)
_LANDMARKS = Landmarks(
    File(
        "hand_landmark/hand_landmark_full",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        5_478_917,
    ),
    size=224,
    outputs=((1, 63), (1, 1), (1, 1), (1, 63)),
    names=_NAMES,
    links=_LINKS,
    work=Work(
        "landmarks",
        "convolution",
        macs=330_895_072,
        weights=2_622_496,
        channels=19_392,
        layers=49,
        activations=7_225_344,
        small=7_984,
    ),
)
#: The square: the palm's box, moved by half of its height towards the fingers, 2.6 times as large.
_REGION: Facts = {"around": "box", "start": 0, "end": 2, "shift": -0.5, "scale": 2.6}
_MEMBER = keypoints("hand-landmarks", _DETECTOR, _LANDMARKS, _REGION, most=2)
MODEL = declare_model(replace(_MEMBER, golden="data/golden/hand.png"))
