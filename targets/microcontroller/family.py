"""What the microcontroller targets share: recipe, form of bundle, emulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgekit.core import Bundle, Calls, Facts, Form, Measurement, Recipe, Target
from edgekit.errors import BadInput
from edgekit.targets.microcontroller.arduino import arduino
from edgekit.targets.microcontroller.boards import boards_of
from edgekit.targets.microcontroller.emulator.counts import Counts, bench
from edgekit.targets.microcontroller.emulator.estimates import estimates
from edgekit.targets.microcontroller.emulator.proof import self_test
from edgekit.targets.microcontroller.emulator.toolchain import MACHINES
from edgekit.targets.microcontroller.firmware import pack, project

_SPEECH = (
    "recognising free speech takes a model of tens of megabytes, and a microcontroller has a few hundred kilobytes. "
    "What fits there is keyword spotting, such as ds-cnn-kws or okay-nabu."
)
_TEXT = (
    "a language model takes hundreds of megabytes for its weights alone, and a microcontroller has a few hundred "
    "kilobytes. Choose --target android or laptop."
)
_PICTURES = (
    "a model that makes pictures or describes them takes hundreds of megabytes, and a microcontroller has a few "
    "hundred kilobytes. What fits there is image classification, such as mobilenet-v1-025-vww."
)

#: Task -> why no microcontroller does it.
REFUSES = {
    "automatic-speech-recognition": _SPEECH,
    "text-generation": _TEXT,
    "text2text-generation": _TEXT,
    "translation": _TEXT,
    "summarization": _TEXT,
    "text-to-image": _PICTURES,
    "image-to-text": _PICTURES,
    "image-text-to-text": _PICTURES,
}

_INSTRUCTIONS = "instructions"


def target(
    name: str,
    *,
    processor: str,
    layout: str,
    flash: int,
    ram: int,
    accelerators: Mapping[str, str] = MappingProxyType({}),
) -> Target:
    """A processor class as a target.

    Args:
        name: also the stem of its flags in firmware/processors. processor: for people.
        layout: of the weights, for the code path: ``"dsp"`` or ``"plain"``.
        flash, ram: default budgets in bytes.
        accelerators: runtime of a unit beside the processor -> what firmware needs for it.
    """
    if flash <= 0 or ram <= 0:
        raise BadInput(f"{name}: budgets must be more than 0 bytes, not {flash} of flash and {ram} of RAM.")

    def lay_out(bundle: Path) -> None:
        pack(bundle, name)

    def prove(bundle: Path, calls: Calls) -> Facts:
        return {"device": "qemu", "board": MACHINES[name].board, **asdict(self_test(bundle, MACHINES[name]))}

    def measure(bundle: Path) -> Mapping[str, Any]:
        return _report(bench(bundle, MACHINES[name]), name)

    return Target(
        name=name,
        system="none: firmware",
        processor=processor,
        recipes={"*": Recipe("qemu", "int8", {"layout": layout})},
        device="qemu",
        flash=flash,
        ram=ram,
        refuses=REFUSES,
        runtimes={"qemu": "nothing: plain C99, see firmware/README.md", **accelerators},
        pack=lay_out,
        boards=boards_of(name),
        prove=prove,
        forms=_FORMS,
        measure=measure,
    )


def _cmake(bundle: Bundle, place: Path, options: Mapping[str, str]) -> None:
    project(bundle.path, place)


def _arduino(bundle: Bundle, place: Path, options: Mapping[str, str]) -> None:
    arduino(bundle.path, place, **options)


_FORMS = {
    "cmake": Form("-cmake.zip", _cmake),
    "arduino": Form(
        "-arduino.zip",
        _arduino,
        options={"name": "of the library, such as Keywords", "version": "of the library, such as 1.0.2"},
    ),
}


def _report(counts: Counts, name: str) -> dict[str, Any]:
    """Counts as measurements (each of one process, one value per repeat), by layer, and estimates from them."""
    boards = boards_of(name).values()
    times = estimates("network", counts.inference, boards)
    if counts.frontend:
        times += estimates("frontend, one frame", counts.frontend, boards)
    series = {"network.instructions": counts.inference, "network.init.instructions": (counts.init,)}
    if counts.frontend:
        series["frontend.instructions"] = counts.frontend
    sizes = {"network.stack": counts.stack, "network.arena": counts.arena, "network.weights": counts.weights}
    sizes |= {f"footprint.{kind}": size for kind, size in counts.footprint.items()}
    if counts.frontend_stack:
        sizes["frontend.stack"] = counts.frontend_stack
    if counts.footprint_sound:
        sizes |= {f"footprint_sound.{kind}": size for kind, size in counts.footprint_sound.items()}
    return {
        "device": "qemu",
        "board": MACHINES[name].board,
        "fidelity": "emulated",
        "measurements": (
            *(Measurement(name, _INSTRUCTIONS, (values,)) for name, values in series.items()),
            *(Measurement(name, "B", ((float(size),),)) for name, size in sizes.items()),
        ),
        "layers": [{"name": layer.name, "instructions": list(layer.instructions)} for layer in counts.layers],
        "estimates": times,
    }
