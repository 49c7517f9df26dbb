"""BlazePose: 33 points of a body (Bazarevsky et al. 2020, arXiv:2006.10204). A detector of 224 x 224, 3.0 M weights,
and the full landmark network of 256 x 256, 3.0 M.

The detector finds the hips' middle and a circle around the body; the crop is turned so that the body is upright. Not
here: depth, the mask, the heat map by which MediaPipe refines points, and tracking from picture to picture.
"""

from __future__ import annotations

from edgekit.core import Work
from edgekit.models.mediapipe.family import File, declare_model
from edgekit.models.mediapipe.pipeline import Detector, Landmarks, keypoints

_NAMES = (
    *("nose", "left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer"),
    *("left ear", "right ear", "mouth left", "mouth right", "left shoulder", "right shoulder", "left elbow"),
    *("right elbow", "left wrist", "right wrist", "left pinky", "right pinky", "left index", "right index"),
    *("left thumb", "right thumb", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle"),
    *("left heel", "right heel", "left foot", "right foot"),
)
_LINKS = (
    *((0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10), (11, 12), (11, 13), (13, 15)),
    *((15, 17), (15, 19), (15, 21), (12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (11, 23), (12, 24), (23, 24)),
    *((23, 25), (24, 26), (25, 27), (26, 28), (27, 29), (28, 30), (29, 31), (30, 32)),
)


_DETECTOR = Detector(
    "detector",
    File(
        "pose_detection/pose_detection", "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c", 2_959_046
    ),
    size=224,
    grids=((8, 2), (16, 2), (32, 6)),
    points=4,
    signed=True,
    label="person",
    work=Work(
        "detector",
        "convolution",
        macs=429_859_360,
        weights=2_943_256,
        channels=22_058,
        tables=4_508,
        layers=73,
        activations=7_456_768,
        small=17_128,
    ),
)
_LANDMARKS = Landmarks(
    File(
        "pose_landmark/pose_landmark_full",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        6_440_512,
    ),
    size=256,
    outputs=((1, 195), (1, 1), (1, 256, 256, 1), (1, 64, 64, 39), (1, 117)),
    names=_NAMES,
    links=_LINKS,
    work=Work(
        "landmarks",
        "convolution",
        macs=331_639_552,
        weights=2_949_424,
        channels=22_748,
        layers=73,
        activations=9_701_376,
        small=8_560,
    ),
)
MODEL = declare_model(keypoints("pose-landmarks", _DETECTOR, _LANDMARKS, {"start": 0, "end": 1, "scale": 1.25}, most=1))
