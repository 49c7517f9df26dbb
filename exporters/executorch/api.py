"""The one door to ExecuTorch's compiler and torchao's PT2E: both warn and log when they are imported."""

from __future__ import annotations

from edgekit.common.quiet import quiet
from edgekit.errors import need

with need("executorch", "Exporting to ExecuTorch"), quiet():
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.observer import (
        PerChannelMinMaxObserver,
        PlaceholderObserver,
        UniformQuantizationObserverBase,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import QuantizationConfig, QuantizationSpec
    from torchao.quantization.pt2e.utils import _fuse_conv_bn_ as fuse_batch_normalization

__all__ = [
    "PerChannelMinMaxObserver",
    "PlaceholderObserver",
    "QuantizationConfig",
    "QuantizationSpec",
    "UniformQuantizationObserverBase",
    "XNNPACKQuantizer",
    "XnnpackPartitioner",
    "convert_pt2e",
    "fuse_batch_normalization",
    "prepare_pt2e",
    "to_edge_transform_and_lower",
]
