"""Ask Apple's Core AI, which computes on Linux as well: the torch program of a part, converted and run by Apple's code.

The questions are of programs.py: beside Apple's outputs stands our interpreter of edgekit's ML Program of the same
module in the same precision. On Linux a MatMul in half precision sums in half precision, one product after another (bit
for bit): at 4,096 products 41 dB, where sums in single precision, torch's and ours, are 73.
"""

from __future__ import annotations

import asyncio
import tempfile
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from asked import Arrays, Question, decibels, distance, of_one_shape, questions, tell

PACKAGE = "coreai-core"


async def compute(question: Question, place: Path) -> Sequence[Arrays]:
    """Apple's program of the torch program, saved, and run. Outputs are named: Apple's order is another."""
    import torch
    from coreai.runtime import NDArray
    from coreai_torch import TorchConverter, get_decomp_table

    def taken(value: Any) -> Any:
        """Its whole numbers have 32 bits."""
        kinds = {"int64": "int32", "float32": "float16" if question.facts["precision"] == "fp16" else "float32"}
        return NDArray(value.astype(kinds.get(value.dtype.name, value.dtype)))

    program = torch.export.load(question.file).run_decompositions(get_decomp_table())
    names = {f"{side}_names": [spec["name"] for spec in question.facts[f"{side}s"]] for side in ("input", "output")}
    asset = TorchConverter().add_exported_program(program, **names).to_coreai().save_asset(place)
    async with asset.executable() as model:
        function = model.load_function("main")
        made = [await function({name: taken(value) for name, value in call.items()}) for call in question.inputs]
    return [{name: np.array(value.numpy()) for name, value in out.items()} for out in made]


def main() -> None:
    warnings.filterwarnings("ignore")
    for question in map(of_one_shape, questions()):
        try:
            if question.facts["unable"]:
                raise ValueError(question.facts["unable"])
            with tempfile.TemporaryDirectory() as made:
                outputs = asyncio.run(compute(question, Path(made) / "part.aimodel"))
            apart = distance(question.here, outputs)
            ours = f"ours {decibels(apart):.0f} dB from it" if 0 < apart < 1e9 else ""
            tell(question, version(PACKAGE), outputs, "fp32", placed=ours)
        except Exception as exc:  # a runtime may raise anything
            tell(question, version(PACKAGE), reason=f"{type(exc).__name__}: {exc}".splitlines()[0][:240])


if __name__ == "__main__":
    main()
