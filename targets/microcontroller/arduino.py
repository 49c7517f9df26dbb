"""A firmware bundle's model as an Arduino library: the layout of the "Arduino library specification", 1.5 and later."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from edgekit.errors import BadInput, boundary
from edgekit.targets.microcontroller.archive import write_zip
from edgekit.targets.microcontroller.firmware import firmware_of
from edgekit.targets.microcontroller.golden_headers import AUDIO, VECTORS, vectors_of, write_golden

#: What a library takes of src/; the rest is for edgekit itself.
_CODE = (".c", ".h")

#: Examples; NAME stands for the library's name.
_SKETCHES = Path(__file__).parent / "sketches"


def arduino(bundle: Path, out: Path, name: str = "", version: str = "0.0.0") -> None:
    """Write the bundle's model as an Arduino library: a .zip, as the Arduino IDE takes them.

    Args:
        name: of the library; the folder's name if empty. Letters, digits and underscores are kept.

    Raises:
        BadInput: not a firmware bundle, or no name for a library.
    """
    firmware = firmware_of(bundle)
    name = re.sub(r"\W+", "_", name or bundle.resolve().name, flags=re.ASCII).strip("_") or "model"
    sound = (bundle / "src" / "detector.h").is_file()
    with boundary():
        files = {f"src/{file.name}": file.read_bytes() for file in (bundle / "src").iterdir() if file.suffix in _CODE}
        files |= {f"licences/{file.name}": file.read_bytes() for file in (bundle / "licences").glob("*.txt")}
        files |= _example(bundle, firmware, name, sound)
    if f"src/{name}.h" in files:  # a header of the model has the name that the library's own would get
        raise BadInput(f"an Arduino library of this model cannot be named {name!r}.", hint="Choose another --out.")
    files[f"src/{name}.h"] = _umbrella(["network.h", "detector.h"] if sound else ["network.h"]).encode()
    files["library.properties"] = _properties(name, version).encode()
    write_zip({f"{name}/{file}": content for file, content in files.items()}, out)


def _example(bundle: Path, firmware: Path, name: str, sound: bool) -> dict[str, bytes]:
    """The sketch and its data."""
    folder = f"examples/{name}_example"
    sketch = (_SKETCHES / ("sound.ino" if sound else "network.ino")).read_bytes()
    data = {AUDIO: (firmware / AUDIO).read_bytes()} if sound else {VECTORS: _first_vector(bundle, firmware)}
    files = {f"{name}_example.ino": sketch.replace(b"NAME", name.encode()), **data}
    return {f"{folder}/{file}": content for file, content in files.items()}


def _first_vector(bundle: Path, firmware: Path) -> bytes:
    """golden_vectors.h with one vector: a sketch must fit a chip."""
    vectors = vectors_of(bundle)
    if not vectors:
        return (firmware / VECTORS).read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        write_golden(Path(scratch), vectors[:1])
        return (Path(scratch) / VECTORS).read_bytes()


def _umbrella(parts: list[str]) -> str:
    return "#pragma once\n\n" + "".join(f'#include "{part}"\n' for part in parts)


def _properties(name: str, version: str) -> str:
    return (
        f"name={name}\nversion={version}\nauthor=edgekit\nmaintainer=edgekit\n"
        "sentence=An int8 neural network as plain C.\n"
        "paragraph=No interpreter, no allocation: one static arena, weights in flash. Exported by edgekit.\n"
        f"category=Data Processing\nurl=\narchitectures=*\nincludes={name}.h\n"
    )
