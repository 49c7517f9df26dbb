"""MobileNet v2, 224 x 224, the 1000 classes of ImageNet: 3.5 M parameters (Sandler et al. 2018, arXiv:1801.04381).

Weights as torchvision or timm name them. Published top-1: 71.9 % (torchvision), 72.9 % (timm); here: not measured.
"""

from __future__ import annotations

from typing import Any

from edgekit.core import Checkpoint
from edgekit.models.vision.imagenet import declare_model
from edgekit.models.vision.shapes import V2


def _network(checkpoint: Checkpoint) -> Any:
    from edgekit.models.vision.networks.mobilenet_weights import network

    return network(checkpoint.tensors, "mobilenet-v2")


MODEL = declare_model(
    name="mobilenet-v2",
    hub="hf://timm/mobilenetv2_100.ra_in1k",
    parameters=3_504_872,
    worst=0.65,
    shape=V2,
    network=_network,
)
