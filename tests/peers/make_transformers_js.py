"""A Hugging Face folder as transformers.js loads it, in fp32 and q8: what its own scripts do, by the same tools.

    .venv-optimum/bin/python tests/peers/make_transformers_js.py HF OUT TASK

HF is a folder that `make_hf.py` wrote, or another with a config.json; TASK "automatic-speech-recognition-with-past" or
"feature-extraction". optimum exports it to ONNX; onnxruntime's dynamic
quantization makes ``*_quantized.onnx``, with the settings of transformers.js' scripts/quantize.py (a scale a tensor,
weights uint8 where there is a convolution).
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import main_export


def make(source: Path, out: Path, task: str) -> None:
    """Write OUT/NAME, NAME that of the source."""
    place = out / source.name
    main_export(str(source), place, task=task, library_name="transformers")
    (place / "onnx").mkdir(exist_ok=True)
    for file in sorted(place.glob("*.onnx")):
        whole = place / "onnx" / file.name
        file.rename(whole)
        kinds = {node.op_type for node in onnx.load(whole).graph.node}
        quantize_dynamic(
            whole,
            whole.with_name(f"{whole.stem}_quantized.onnx"),
            weight_type=QuantType.QUInt8 if "Conv" in kinds else QuantType.QInt8,
            extra_options={"EnableSubgraph": True},
        )


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
