"""How much of a model's weights each format knows by the names that they have in the source.

    python tests/peers/compare_identifiers.py [--models all-minilm-l6-v2 ...] [--formats onnx coreml ...]

Every model is exported in fp32 in every format that takes it. A cell is the share of the file's float weights (of their
bytes) that layers with an identifier hold; or the reason why there is no file. Biases, norms and tables that no layer
multiplies are float weights of a file, too, and have no identifier.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import edgekit
from edgekit.errors import EdgekitError
from edgekit.quantization.weights.identifiers import Converted, Identifiers
from edgekit.registry import names

#: Format -> the target and the runtime that it is exported for.
FORMATS = {
    "onnx": ("laptop", "onnxruntime"),
    "litert": ("android", "litert"),
    "executorch": ("android", "executorch"),
    "coreml": ("ios", "coreml"),
}
_FLOATS = ("float", "float32", "fp32")


@contextmanager
def recorded() -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Inside, weights that got an identifier, and those that got none: content -> bytes; layer -> bytes."""
    known, strange, original = dict[str, int](), dict[str, int](), Identifiers.names

    def names_of(self: Identifiers, layers: Mapping[str, Converted]) -> tuple[dict[str, str], dict[str, int]]:
        found, lost = original(self, layers)
        for own, layer in layers.items():
            if own not in lost:
                content = np.sort(layer.weights, axis=None).tobytes()  # a table may stand there turned, too
                known[hashlib.sha256(content).hexdigest()] = 4 * layer.weights.size
        strange.update({own: 4 * size for own, size in lost.items()})
        return found, lost

    with mock.patch.object(Identifiers, "names", names_of):
        yield known, strange


def share(model: str, target: str, runtime: str) -> str:
    with tempfile.TemporaryDirectory() as folder, recorded() as (known, strange):
        out = Path(folder) / "bundle"
        bundle = edgekit.export(model, target, runtime=runtime, precision="fp32", evidence=False, out=out)
        parts = [part.census.get("bytes", {}) for part in bundle.manifest.parts]
        whole = sum(size for held in parts for name, size in held.items() if name in _FLOATS)
        if not known and not strange:
            return "a ready file, whose names are kept"
        worst = sorted(strange.items(), key=lambda one: -one[1])[:3]
        more = f" (not: {', '.join(f'{name} {size / whole:.1%}' for name, size in worst)})" if worst else ""
        return f"{sum(known.values()) / whole:.1%}{more}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=names("models"))
    parser.add_argument("--formats", nargs="+", default=list(FORMATS))
    asked: Any = parser.parse_args()
    print(f"| model | {' | '.join(asked.formats)} |\n|{'---|' * (1 + len(asked.formats))}")
    for model in asked.models:
        cells = []
        for name in asked.formats:
            try:
                cells.append(share(model, *FORMATS[name]))
            except EdgekitError as exc:
                cells.append(exc.message.splitlines()[0][:120])
        print(f"| {model} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
