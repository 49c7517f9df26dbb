"""BlazeFace, short range: faces within two metres of a phone, with six points each (Bazarevsky et al. 2019,
arXiv:1907.05047). 128 x 128, 0.1 M parameters.

MediaPipe averages the boxes that overlap; here the best of them stays (plain non-maximum suppression).
"""

from __future__ import annotations

from typing import Any

from edgekit.core import Checkpoint, Evaluation, Part, TensorSpec, Work
from edgekit.models.mediapipe.family import File, Member, declared

_SIZE, _ANCHORS, _POINTS = 128, 896, 6
_GRIDS = ((8, 2), (16, 6))
_FILE = File(
    "face_detection/face_detection_short_range",
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    229_714,
)


def _network(checkpoint: Checkpoint) -> Any:
    from edgekit.models.mediapipe.networks import AnchorDetector, anchors, read

    shapes = ((1, _ANCHORS, 4 + 2 * _POINTS), (1, _ANCHORS, 1))
    network = read(checkpoint, _FILE.name, (1, _SIZE, _SIZE, 3), shapes)
    return AnchorDetector(network, _SIZE, anchors(_SIZE, _GRIDS), signed=True).eval()


MODEL = declared(
    Member(
        name="blazeface",
        task="object-detection",
        files=(_FILE,),
        parts=(
            Part(
                "network",
                (TensorSpec("pixels", "uint8", (1, _SIZE, _SIZE, 3)),),
                (
                    TensorSpec("boxes", "float32", (1, _ANCHORS, 4)),
                    TensorSpec("logits", "float32", (1, _ANCHORS, 1)),
                    TensorSpec("points", "float32", (1, _ANCHORS, 2 * _POINTS)),
                ),
                {},
                _network,
            ),
        ),
        works=(
            Work(
                "network",
                "convolution",
                macs=30_760_960,
                weights=99_202,
                channels=2_188,
                tables=2 * _ANCHORS,
                layers=37,
                activations=1_310_720,
                small=18_178,
            ),
        ),
        facts={
            "height": _SIZE,
            "width": _SIZE,
            "resize": {"letterbox": True, "filter": "bilinear"},
            "labels": ["face"],
            "activation": "sigmoid",
            "threshold": 0.5,
            "overlap": 0.3,
        },
        evaluation=Evaluation("map@0.5", worst=0.3, drop=0.03, minimum=200, also=("map",)),
        parameters=101_390,
        reference=39_000,
        labels=("face",),
    )
)
