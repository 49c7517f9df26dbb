"""What an app takes of a bundle: graphs, what the loops need to know, golden vectors that a phone can read, licences.

A golden sound becomes floats and a picture pixels, so that no decoder of the phone comes into the comparison. What a
`tokenizers` file says becomes the bytes of every token.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from edgekit.common.arrays import read_arrays
from edgekit.common.files import read_text
from edgekit.common.images import picture_file
from edgekit.common.lazy import NDArray, np
from edgekit.common.packed import plain_name, unpack
from edgekit.core import Bundle, Facts
from edgekit.errors import BadInput, Unsupported, need
from edgekit.numerics.parity import limits_of
from edgekit.targets.common import calls
from edgekit.targets.common.vocabularies import Rule, vocabulary_of

#: What the loops read first, and the list of all files with their hashes.
DESCRIPTION, FILES = "model.json", "files.json"

#: Unpacked, no golden reference is larger.
_MOST = 64 * 2**20
_NUMBER = re.compile(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?")


def write_assets(bundle: Bundle, out: Path) -> dict[str, int]:
    """Write the assets into the empty folder `out`, with `FILES` over all of them.

    Returns:
        name -> size in bytes of every file but `FILES`.

    Raises:
        BadInput: the golden files or the tokenizer are not what they should be.
        Unsupported: the golden sound is not at the model's rate. MissingExtra: what reads it is absent.
    """
    manifest = bundle.manifest
    parts = {part.name: _flat(part.file) for part in manifest.parts}
    if len(set(parts.values()) | {DESCRIPTION, FILES}) != len(parts) + 2:
        raise BadInput("the bundle's parts have names that collide in an app.")
    for part in manifest.parts:  # Core ML's are folders
        held = bundle.path / part.file
        (shutil.copytree if held.is_dir() else unpack)(held, out / parts[part.name])
    tokens, rules = vocabulary_of(bundle.path, manifest.facts)
    (out / DESCRIPTION).write_bytes(_json(_description(manifest, parts, rules)))
    if tokens is not None:
        (out / "vocabulary.bin").write_bytes(tokens)
    (out / "golden").mkdir()
    calls.write(out / "golden" / "input.bin", [_input(bundle)])
    calls.write(out / "golden" / "reference.bin", [_reference(bundle.path / manifest.golden.reference)])
    for name in sorted(name for name in manifest.files if name.startswith("licences/")):
        (out / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(bundle.path / name, out / name)
    return write_file_list(out)


def _flat(file: str) -> str:
    return plain_name(file.rsplit("/", 1)[-1])


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _description(manifest: Any, parts: Mapping[str, str], rules: Mapping[str, Rule]) -> Facts:
    """Args: rules: of the tokenizer, beside those in the facts."""
    facts = manifest.facts
    return {
        "model": manifest.model.name,
        "family": manifest.model.family,
        "precision": manifest.recipe.precision,
        "exporter": manifest.recipe.exporter,
        "bundle": manifest.digest,
        "limits": limits_of(manifest.recipe, parts, manifest.golden.errors),
        # The first word of a sound is what a pipeline of words tells; a phone tells events.
        "answer": "" if "words" in manifest.facts.get("rules", {}) else manifest.golden.output,
        "parts": [
            {
                "name": part.name,
                "file": parts[part.name],
                "inputs": to_builtins(part.inputs),
                "outputs": to_builtins(part.outputs),
            }
            for part in manifest.parts
        ],
        "facts": {**facts, "tokenizer": {**facts["tokenizer"], **rules}} if rules else facts,
    }


def write_file_list(out: Path) -> dict[str, int]:
    """Write the list of files: name, size, sha256."""
    paths = sorted(path for path in out.rglob("*") if path.is_file())
    entries = [
        {
            "name": path.relative_to(out).as_posix(),
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in paths
    ]
    (out / FILES).write_bytes(_json({"files": entries}))
    return {str(entry["name"]): int(str(entry["size"])) for entry in entries}


def _input(bundle: Bundle) -> dict[str, NDArray[Any]]:
    """The golden input, by its kind of file: ``{"audio": float32 [samples]}``, ``{"pixels": uint8 [height, width,
    3]}``, ``{"numbers": float32}`` of any shape, or ``{"text": uint8 [bytes]}``; of tensors all of them, by name."""
    file = bundle.path / bundle.manifest.golden.input
    with need("run", "Reading the golden input"):
        import soundfile
    try:
        if file.suffix == ".png":
            with picture_file(file) as image:
                return {"pixels": np.array(image.convert("RGB"), np.uint8)}
        if file.suffix == ".npz":
            held = read_arrays(file, f"the golden input {file.name}", _MOST)
            if bundle.manifest.model.task == "tensors":
                specs = [spec for part in bundle.manifest.parts for spec in part.inputs if spec.name in held]
                return {spec.name: np.asarray(held[spec.name], spec.dtype, order="C") for spec in specs}
            return {"numbers": np.ascontiguousarray(next(iter(held.values())), np.float32)}
        if file.suffix == ".csv":
            return {"numbers": _column(file)}
        if file.suffix == ".txt":
            return {"text": np.frombuffer(read_text(file).strip("\n").encode(), np.uint8)}
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (OSError, ValueError, SyntaxError, StopIteration, soundfile.SoundFileError) as exc:
        raise BadInput(f"the golden input {file.name} cannot be read: {exc}.") from exc
    wanted = int(bundle.manifest.facts.get("sample_rate", 16_000))
    if rate != wanted:
        raise Unsupported(f"the golden input is at {rate} Hz; the loop of this model takes sound at {wanted} Hz.")
    return {"audio": np.ascontiguousarray(samples.mean(axis=1, dtype=np.float32))}


def _column(file: Path) -> NDArray[np.float32]:
    """The last column of a table without its line of names; a gap is not a number."""
    cells = [line.rpartition(",")[2].strip() for line in read_text(file).splitlines() if line.strip()]
    values = [float(cell) if _NUMBER.fullmatch(cell) else float("nan") for cell in cells]
    named = bool(values) and np.isnan(values[0]) and bool(cells[0])
    return np.asarray(values[1:] if named else values, np.float32)


def _reference(file: Path) -> dict[str, NDArray[Any]]:
    """What fp32 computed: ``"PART/CALL/OUTPUT" -> float32``."""
    held = read_arrays(file, f"the golden reference {file.name}", _MOST)
    return {name: np.asarray(array, np.float32) for name, array in held.items()}
