"""EfficientNet-Lite0 in int8 as other tools make it, each in its usual way, from the same weights and photos.

    python _vision_makers.py TOOL FLOAT PHOTOS OUT

Runs in the peers' environment, so it imports nothing of edgekit. FLOAT is an ONNX file (onnxruntime) or a program of
torch.export (OpenVINO, ExecuTorch). PHOTOS is a file of numpy, uint8 [N, 224, 224, 3]: what to calibrate with.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Photos = NDArray[np.uint8]
#: Pixels are (value - MEAN) / DEVIATION.
MEAN, DEVIATION = 127.0, 128.0


def onnxruntime_default(source: Path, photos: Photos, out: Path) -> None:
    _onnxruntime(source, photos, out)


def onnxruntime_uint8(source: Path, photos: Photos, out: Path) -> None:
    """A scale a channel, and the type of activations that is fast on x86."""
    from onnxruntime.quantization import QuantType

    _onnxruntime(source, photos, out, per_channel=True, activation_type=QuantType.QUInt8)


def _onnxruntime(source: Path, photos: Photos, out: Path, **options: Any) -> None:
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[Mapping[str, Any]] = iter([{"pixels": photo[None]} for photo in photos])

        def get_next(self) -> Mapping[str, Any] | None:
            return next(self._left, None)

    ready = out.with_suffix(".ready.onnx")
    quant_pre_process(str(source), str(ready))
    quantize_static(str(ready), str(out), Reader(), **options)


def openvino(source: Path, photos: Photos, out: Path) -> None:
    """NNCF's default recipe; OpenVINO's own preprocessing takes the pixels."""
    import nncf
    import openvino as ov
    import torch
    from openvino.preprocess import PrePostProcessor

    model = ov.convert_model(torch.export.load(source), example_input=torch.zeros(1, 3, 224, 224))
    model.reshape([1, 3, 224, 224])
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(MEAN).scale(DEVIATION)
    data = nncf.Dataset([photo[None] for photo in photos])
    ov.save_model(nncf.quantize(steps.build(), data, subset_size=len(photos)), out)


def executorch(source: Path, photos: Photos, out: Path) -> None:
    """PT2E with the quantizer of XNNPACK, a scale a channel. Takes floats: pixels cost it nothing here."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.load(source).module(), quantizer)
    for photo in photos:
        prepared(torch.from_numpy(as_floats(photo)).to(memory_format=torch.channels_last))
    example = (torch.zeros(1, 3, 224, 224).to(memory_format=torch.channels_last),)
    program = torch.export.export(convert_pt2e(prepared), example)
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    out.write_bytes(lowered.to_executorch().buffer)


def as_floats(photo: Photos) -> NDArray[np.float32]:
    """uint8 [224, 224, 3] -> float32 [1, 3, 224, 224], laid out as it was."""
    return ((photo[None].astype(np.float32) - MEAN) / DEVIATION).transpose(0, 3, 1, 2)


#: Tool -> (what makes its file, how the file ends).
TOOLS: Mapping[str, tuple[Callable[[Path, Photos, Path], None], str]] = {
    "onnxruntime-default": (onnxruntime_default, ".onnx"),
    "onnxruntime-uint8": (onnxruntime_uint8, ".onnx"),
    "openvino-nncf": (openvino, ".xml"),
    "executorch-xnnpack": (executorch, ".pte"),
}


if __name__ == "__main__":
    tool, given, sample, made = sys.argv[1:]
    TOOLS[tool][0](Path(given), np.load(sample), Path(made))
