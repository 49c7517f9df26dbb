"""MobileNet v3-small, 224 x 224, the 1000 classes of ImageNet: 2.5 M parameters (Howard et al. 2019, arXiv:1905.02244).

Weights as torchvision or timm name them. Published top-1: 67.7 % (both); here: not measured.
"""

from __future__ import annotations

from typing import Any

from edgekit.core import Checkpoint
from edgekit.models.vision.imagenet import declare_model
from edgekit.models.vision.shapes import V3_SMALL


def _network(checkpoint: Checkpoint) -> Any:
    from edgekit.models.vision.networks.mobilenet_weights import network

    return network(checkpoint.tensors, "mobilenet-v3-small")


MODEL = declare_model(
    name="mobilenet-v3-small",
    hub="hf://timm/mobilenetv3_small_100.lamb_in1k",
    parameters=2_542_856,
    worst=0.60,
    shape=V3_SMALL,
    network=_network,
)
