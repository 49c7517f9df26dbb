"""What edgekit writes into an asset beside Apple's own description: a part's inputs and outputs by our types.

Core AI has whole numbers of 32 bits; the part may take and give 64.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from edgekit.common.documents import parse_json, read_json
from edgekit.core import TensorSpec
from edgekit.errors import BadInput
from edgekit.formats.descriptions import parse_specs, rows_of

#: Key of the asset's own metadata.
KEY = "org.edgekit.part"
#: A description has a few lines: more is none of ours.
_MOST = 1 << 20


def describe(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str:
    """The text that `read_specs` reads."""
    return json.dumps(rows_of(inputs, outputs))


def read_specs(file: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of the asset `file`. Raises BadInput: it is no asset, or none that edgekit wrote."""
    told = file / "metadata.json"
    try:
        if told.is_symlink():
            raise ValueError(told.name)
        custom = read_json(told, _MOST)["creatorDefinedMetadata"]
        return parse_specs(parse_json(custom[KEY], told.name))
    except (BadInput, ValueError, KeyError, TypeError) as exc:  # the asset is what the user knows, not a file in it
        raise BadInput(f"{file.name} does not say what its inputs are: edgekit did not make it.") from exc
