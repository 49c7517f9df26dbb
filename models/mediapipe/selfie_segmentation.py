"""MediaPipe's selfie segmentation: the pixels of a person near the camera. 256 x 256, 0.1 M parameters.

A network after MobileNet v3 (Howard et al. 2019, arXiv:1905.02244) with a decoder. Its last sigmoid is left out: its
logits say the same.
"""

from __future__ import annotations

from typing import Any

from edgekit.core import Checkpoint, Evaluation, Part, TensorSpec, Work
from edgekit.models.mediapipe.family import File, Member, declare_model

_SIZE = 256
_FILE = File(
    "selfie_segmentation/selfie_segmentation",
    "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    249_505,
)


def _network(checkpoint: Checkpoint) -> Any:
    from edgekit.models.mediapipe.networks import Values, read

    network = read(checkpoint, _FILE.name, (1, _SIZE, _SIZE, 3), ((1, _SIZE, _SIZE, 1),))
    network.without_last("LOGISTIC")
    return Values(network, signed=False).eval()


_PIXELS = TensorSpec("pixels", "uint8", (1, _SIZE, _SIZE, 3))
_LOGITS = TensorSpec("logits", "float32", (1, _SIZE, _SIZE, 1))
_LABELS = ("background", "person")
MODEL = declare_model(
    Member(
        name="selfie-segmentation",
        task="image-segmentation",
        files=(_FILE,),
        parts=(Part("network", (_PIXELS,), (_LOGITS,), {}, _network),),
        works=(
            Work(
                "network",
                "convolution",
                macs=58_167_168,
                weights=103_416,
                channels=2_920,
                tables=65,
                layers=54,
                activations=3_276_800,
                small=10_072,
            ),
        ),
        facts={
            "height": _SIZE,
            "width": _SIZE,
            "resize": {"filter": "bilinear"},
            "labels": list(_LABELS),
            "activation": "sigmoid",
        },
        evaluation=Evaluation("miou", worst=0.5, drop=0.02, minimum=100),
        parameters=106_401,
        reference=41_000,
        labels=_LABELS,
    )
)
