"""BlazePose: 33 points of a body (Bazarevsky et al. 2020, arXiv:2006.10204). A detector of 224 x 224, 3.0 M weights,
and the full landmark network of 256 x 256, 3.0 M.

The detector finds the hips' middle and a circle around the body; the crop is turned so that the body is upright. Not
here: depth, the mask, the heat map by which MediaPipe refines points, and tracking from picture to picture.
"""

from __future__ import annotations

from typing import Any

from edgekit.core import Checkpoint, Evaluation, Part, TensorSpec, Work
from edgekit.models.mediapipe.family import File, Member, declared

_DETECTOR_SIZE, _ANCHORS, _ALIGNING = 224, 2254, 4
_GRIDS = ((8, 2), (16, 2), (32, 6))
_SIZE, _POINTS = 256, 33
_DETECTOR = File(
    "pose_detection/pose_detection", "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c", 2_959_046
)
_LANDMARKS = File(
    "pose_landmark/pose_landmark_full", "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f", 6_440_512
)
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


def _detector(checkpoint: Checkpoint) -> Any:
    from edgekit.models.mediapipe.networks import AnchorDetector, anchors, read

    shapes = ((1, _ANCHORS, 4 + 2 * _ALIGNING), (1, _ANCHORS, 1))
    network = read(checkpoint, _DETECTOR.name, (1, _DETECTOR_SIZE, _DETECTOR_SIZE, 3), shapes)
    return AnchorDetector(network, _DETECTOR_SIZE, anchors(_DETECTOR_SIZE, _GRIDS), signed=True).eval()


def _landmarks(checkpoint: Checkpoint) -> Any:
    from edgekit.models.mediapipe.networks import Landmarks, read

    shapes = ((1, 195), (1, 1), (1, _SIZE, _SIZE, 1), (1, _SIZE // 4, _SIZE // 4, 39), (1, 117))
    network = read(checkpoint, _LANDMARKS.name, (1, _SIZE, _SIZE, 3), shapes)
    network.keep((0, 1))
    return Landmarks(network, _SIZE, _POINTS).eval()


MODEL = declared(
    Member(
        name="pose-landmarks",
        task="keypoint-detection",
        files=(_DETECTOR, _LANDMARKS),
        parts=(
            Part(
                "detector",
                (TensorSpec("pixels", "uint8", (1, _DETECTOR_SIZE, _DETECTOR_SIZE, 3)),),
                (
                    TensorSpec("boxes", "float32", (1, _ANCHORS, 4)),
                    TensorSpec("logits", "float32", (1, _ANCHORS, 1)),
                    TensorSpec("points", "float32", (1, _ANCHORS, 2 * _ALIGNING)),
                ),
                {},
                _detector,
            ),
            Part(
                "landmarks",
                (TensorSpec("crop", "uint8", (1, _SIZE, _SIZE, 3)),),
                (TensorSpec("places", "float32", (1, _POINTS, 2)), TensorSpec("presence", "float32", (1, 1))),
                {},
                _landmarks,
            ),
        ),
        works=(
            Work(
                "detector",
                "convolution",
                macs=429_859_360,
                weights=2_943_256,
                channels=22_058,
                tables=2 * _ANCHORS,
                layers=73,
                activations=7_456_768,
                small=17_128,
            ),
            Work(
                "landmarks",
                "convolution",
                macs=331_639_552,
                weights=2_949_424,
                channels=22_748,
                layers=73,
                activations=9_701_376,
                small=8_560,
            ),
        ),
        facts={
            "detector": {
                "height": _DETECTOR_SIZE,
                "width": _DETECTOR_SIZE,
                "resize": {"letterbox": True, "filter": "bilinear"},
                "labels": ["person"],
                "activation": "sigmoid",
                "threshold": 0.5,
                "overlap": 0.3,
            },
            "region": {"start": 0, "end": 1, "scale": 1.25},
            "size": _SIZE,
            "presence": 0.5,
            "most": 1,
            "names": list(_NAMES),
            "links": [list(link) for link in _LINKS],
            "labels": ["person"],
        },
        evaluation=Evaluation("pck", worst=0.5, drop=0.02, minimum=100),
        parameters=5_937_486,
        reference=20_000,
        labels=("person",),
    )
)
