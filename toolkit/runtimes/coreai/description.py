"""What edgekit writes into an asset beside Apple's own description: a part's inputs and outputs by our types.

Core AI has whole numbers of 32 bits; the part may take and give 64.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from edgekit.core import TensorSpec
from edgekit.errors import BadInput

#: Key of the asset's own metadata.
KEY = "org.edgekit.part"
#: A description has a few lines: more is none of ours.
_MOST = 1 << 20


def describe(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str:
    """The text that `read_specs` reads."""
    sides = {"inputs": inputs, "outputs": outputs}
    return json.dumps({side: [[one.name, one.dtype, list(one.shape)] for one in sides[side]] for side in sides})


def read_specs(file: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of the asset `file`. Raises BadInput: it is no asset, or none that edgekit wrote."""
    told = file / "metadata.json"
    try:
        if told.is_symlink() or told.stat().st_size > _MOST:
            raise ValueError(told.name)
        custom = json.loads(told.read_bytes())["creatorDefinedMetadata"]
        held = json.loads(custom[KEY])
        inputs, outputs = (
            tuple(TensorSpec(str(name), str(dtype), tuple(shape)) for name, dtype, shape in held[side])
            for side in ("inputs", "outputs")
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise BadInput(f"{file.name} does not say what its inputs are: edgekit did not make it.") from exc
    return inputs, outputs
