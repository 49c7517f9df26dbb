"""What an app takes of a bundle: graphs, what the loops need to know, golden vectors that a phone can read, licences.

A golden sound becomes floats and a picture pixels, so that no decoder of the phone comes into the comparison. What a
`tokenizers` file says becomes the bytes of every token: decoding needs no more.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgekit.common.arrays import read_arrays
from edgekit.core import Bundle
from edgekit.errors import BadInput, Unsupported, need
from edgekit.numerics.parity import chain_limit_of
from edgekit.targets.common import calls

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DESCRIPTION", "FILES", "listed", "task_for", "vocabulary", "write_assets"]

#: What the loops read first, and the list of all files with their hashes.
DESCRIPTION, FILES = "model.json", "files.json"

#: Unpacked, no golden reference is larger.
_MOST = 64 * 2**20
#: Longer than the description of any vocabulary.
_MOST_TEXT = 64 * 2**20


_Task = TypeVar("_Task")


def task_for(bundle: Bundle, tasks: Mapping[str, _Task], what: str, where: str) -> _Task:
    """What the bundle's family becomes, as `tasks` says.

    Raises:
        Unsupported: the family has no loop there.
    """
    family = bundle.manifest.model.family
    if family not in tasks:
        raise Unsupported(
            f"{bundle.path.name} cannot become {what}: the family {family!r} has no loop for {where}.",
            hint=f"Families with a loop: {', '.join(sorted(tasks))}.",
        )
    return tasks[family]


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
        (shutil.copytree if held.is_dir() else shutil.copyfile)(held, out / parts[part.name])
    (out / DESCRIPTION).write_bytes(_json(_description(manifest, parts)))
    if manifest.model.family == "whisper":
        (out / "vocabulary.bin").write_bytes(vocabulary(bundle.path / "tokenizer.json", _words(manifest.facts)))
    (out / "golden").mkdir()
    calls.write(out / "golden" / "input.bin", [_input(bundle)])
    calls.write(out / "golden" / "reference.bin", [_reference(bundle.path / manifest.golden.reference)])
    for name in sorted(name for name in manifest.files if name.startswith("licences/")):
        (out / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(bundle.path / name, out / name)
    return listed(out)


def _words(facts: Mapping[str, Any]) -> int:
    """How many tokens have a text."""
    try:
        return int(facts["tokens"]["end_of_text"])
    except (LookupError, TypeError, ValueError) as exc:
        raise BadInput("the bundle does not say which token ends a text.", hint="Export it again.") from exc


def _flat(file: str) -> str:
    return file.rsplit("/", 1)[-1]


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _description(manifest: Any, parts: Mapping[str, str]) -> dict[str, Any]:
    def tensors(specs: Any) -> list[dict[str, Any]]:
        return [{"name": spec.name, "dtype": spec.dtype, "shape": spec.shape} for spec in specs]

    return {
        "model": manifest.model.name,
        "family": manifest.model.family,
        "precision": manifest.recipe.precision,
        "exporter": manifest.recipe.exporter,
        "bundle": manifest.digest,
        "limit": chain_limit_of(manifest.recipe.precision),
        # The first word of a sound is what a pipeline of words tells; a phone tells events.
        "answer": "" if "words" in manifest.facts.get("rules", {}) else manifest.golden.output,
        "parts": [
            {
                "name": part.name,
                "file": parts[part.name],
                "inputs": tensors(part.inputs),
                "outputs": tensors(part.outputs),
            }
            for part in manifest.parts
        ],
        "facts": manifest.facts,
    }


def listed(out: Path) -> dict[str, int]:
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
    """The golden input: ``{"audio": float32 [samples]}`` or ``{"pixels": uint8 [height, width, 3]}``."""
    import numpy as np

    file = bundle.path / bundle.manifest.golden.input
    with need("run", "Reading the golden input"):
        import soundfile
        from PIL import Image
    try:
        if file.suffix == ".png":
            with Image.open(file) as image:
                return {"pixels": np.array(image.convert("RGB"), np.uint8)}
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (OSError, ValueError, SyntaxError, soundfile.SoundFileError) as exc:
        raise BadInput(f"the golden input {file.name} cannot be read: {exc}.") from exc
    if rate != 16_000:
        raise Unsupported(f"the golden input is at {rate} Hz; the loops for phones take sound at 16000 Hz.")
    return {"audio": np.ascontiguousarray(samples.mean(axis=1, dtype=np.float32))}


def _reference(file: Path) -> dict[str, NDArray[Any]]:
    """What fp32 computed: ``"PART/CALL/OUTPUT" -> float32``."""
    import numpy as np

    held = read_arrays(file, f"the golden reference {file.name}", _MOST)
    return {name: np.asarray(array, np.float32) for name, array in held.items()}


def vocabulary(file: Path, count: int) -> bytes:
    """The bytes of the first `count` tokens: for each an unsigned 16-bit length and as many bytes, little-endian.

    Raises:
        BadInput: not a byte-level vocabulary.
    """
    try:
        if file.stat().st_size > _MOST_TEXT:
            raise ValueError("it is too large")
        known = json.loads(file.read_bytes())
        pieces = {int(token): str(piece) for piece, token in known["model"]["vocab"].items()}
        alphabet = _alphabet()
        spelt = [bytes(alphabet[letter] for letter in pieces[token]) for token in range(count)]
        return b"".join(struct.pack("<H", len(piece)) + piece for piece in spelt)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as exc:
        raise BadInput(f"{file.name} is not Whisper's: {exc}.", hint="Export the bundle again.") from exc


def _alphabet() -> dict[str, int]:
    """Letter -> byte of byte-level vocabularies: printable bytes stand for themselves, the others for 256 and up."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
