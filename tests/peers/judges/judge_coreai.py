"""Ask Apple's Core AI, which computes on Linux as well: the torch program of a part, converted and run by Apple's code.

The questions are of programs.py: `interpreter` is how far our interpreter of edgekit's ML Program, of the same module
in the same precision, is from Apple's outputs. Half precision alone is some 45 dB.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import warnings
from collections.abc import Sequence
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


async def compute(question: Question, place: Path) -> Sequence[Arrays]:
    """Apple's program of the torch program, saved, and run. Outputs are named: Apple's order is another."""
    import torch
    from coreai.runtime import NDArray
    from coreai_torch import TorchConverter, get_decomp_table

    program = torch.export.load(question.file).run_decompositions(get_decomp_table())
    names = {f"{side}_names": [spec["name"] for spec in question.facts[f"{side}s"]] for side in ("input", "output")}
    asset = TorchConverter().add_exported_program(program, **names).to_coreai().save_asset(place)
    async with asset.executable() as model:
        function = model.load_function("main")
        made = [
            await function({name: NDArray(_held(value)) for name, value in call.items()}) for call in question.inputs
        ]
    return [{name: np.array(value.numpy()) for name, value in out.items()} for out in made]


def _held(value: Any) -> Any:
    """Its whole numbers have 32 bits."""
    return value.astype(np.int32) if value.dtype == np.int64 else value


def main() -> None:
    warnings.filterwarnings("ignore")
    for question in map(of_one_shape, questions()):
        try:
            if question.facts["unable"]:
                raise ValueError(question.facts["unable"])
            with tempfile.TemporaryDirectory() as made:
                outputs = asyncio.run(compute(question, Path(made) / "part.aimodel"))
            apart = distance(question.here, outputs)
            facts = {"interpreter": apart} if math.isfinite(apart) else {}
            tell(question, version(PACKAGE), outputs, "fp32", **facts)
        except Exception as exc:  # a runtime may raise anything
            tell(question, version(PACKAGE), reason=f"{type(exc).__name__}: {exc}".splitlines()[0][:240])


if __name__ == "__main__":
    main()
