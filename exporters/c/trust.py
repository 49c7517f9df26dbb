"""Whose C is compiled: only what this installation of edgekit generates itself, of a network that is data.

The C in ``src/`` of a bundle is not believed (`edgekit.runtimes.qemu.vouching`): it is generated again from the .tflite
beside it (and from what the installed model says of its frontend), and must be the same, byte by byte and file by file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit.core import Facts, Model, Part
from edgekit.errors import BadInput
from edgekit.runtimes.qemu import description
from edgekit.runtimes.qemu.vouching import HINT, is_vouched, place_of, read, refusal, vouch


def check(model: Model, folder: Path) -> None:
    """See that `folder`, the ``src`` of a bundle, holds what this edgekit generates for `model`, and nothing else.

    Raises:
        BadInput: a file differs, is missing or additional.
    """
    files = read(folder)
    if is_vouched(files):
        return
    expected: dict[str, bytes] = {}
    for part in model.network.parts:
        expected |= _regenerate_files(part, files, folder)
    for name in sorted({*files, *expected}):
        if name not in expected:
            raise refusal(folder, name, "is none of the files that this edgekit generates from the bundle's network")
        if name not in files:
            raise BadInput(f"{place_of(folder)} lacks {name}, which this edgekit generates with the rest.", hint=HINT)
        if files[name] != expected[name]:
            raise refusal(folder, name, "is not what this edgekit generates from the bundle's network")
    vouch(files)


def _regenerate_files(part: Part, files: Mapping[str, bytes], folder: Path) -> dict[str, bytes]:
    """What an export writes for `part`, by the same functions."""
    from edgekit.exporters.c import generate

    if part.kind != "network":
        return generate.frontend_files(part)
    content = files.get(f"{part.name}.tflite")
    if content is None:
        raise BadInput(
            f"{place_of(folder)} lacks {part.name}.tflite, the network that its C was generated from, so the C cannot "
            "be checked; compiling somebody else's code would run it.",
            hint=HINT,
        )
    facts: Facts = description.description_of(files, part.name)
    program, plan = generate.lower_part(part, content, str(facts.get("layout", "")))
    return generate.network_files(part, content, program, plan)[0]
