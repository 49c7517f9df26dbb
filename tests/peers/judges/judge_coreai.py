"""Ask Apple's Core AI, which computes on Linux as well: the torch program of a part, converted and run by Apple's code.

The question is programs.py's: `here` is our interpreter of the ML Program that edgekit makes of the same torch module in
the same precision, and `fp32` is torch's own. Half precision alone is some 45 dB.
"""

from __future__ import annotations

import asyncio
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from asked import Arrays, Question, distance, questions, tell
from shapes import of_one_shape

NAME = "Apple Core AI"
WHAT = "Apple's own runtime, coreai-core {version}, on Linux, on the torch modules behind the bundles for iOS"
FORMS = ("ios-fp32", "ios-fp16")
TIMEOUT = 600
PYTHON = ".venv-coreai"
PACKAGE = "coreai-core"


def convert(question: Question, place: Path) -> Any:
    """Apple's program of the torch program, saved and read again. Outputs are named: Apple's order is another."""
    import torch
    from coreai_torch import TorchConverter, get_decomp_table

    program = torch.export.load(question.file).run_decompositions(get_decomp_table())
    names = {f"{side}_names": [spec["name"] for spec in question.facts[f"{side}s"]] for side in ("input", "output")}
    return TorchConverter().add_exported_program(program, **names).to_coreai().save_asset(place)


async def compute(asset: Any, question: Question) -> list[Arrays]:
    from coreai.runtime import NDArray

    async with asset.executable() as model:
        function = model.load_function("main")
        made = [await function({name: NDArray(value) for name, value in call.items()}) for call in question.inputs]
    return [{name: np.array(value.numpy()) for name, value in out.items()} for out in made]


def main() -> None:
    warnings.filterwarnings("ignore")
    said = version("coreai-core")
    for question in questions():
        try:
            question, few = of_one_shape(question)
            with tempfile.TemporaryDirectory() as made:
                outputs = asyncio.run(compute(convert(question, Path(made) / "part.aimodel"), question))
            apart = {"interpreter": distance(outputs, question.here)} if question.here else {}
            tell(question, said, outputs, "fp32", calls=few, **apart)
        except Exception as exc:  # a runtime may raise anything
            tell(question, said, reason=f"{type(exc).__name__}: {exc}".splitlines()[0][:240])


if __name__ == "__main__":
    main()
