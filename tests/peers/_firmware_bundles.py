"""Firmware bundles of one .tflite: edgekit's own, and one that has bakenn's C in the place of edgekit's.

Both have the same startup, clock, stack paint, flags and self-test around them, so their counts can be compared.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.toys.bare import bare_model

from edgekit.core import Checkpoint, Part, Recipe, TensorSpec
from edgekit.exporters import c
from edgekit.exporters.c import EXPORTER
from edgekit.formats.tflite import reader
from edgekit.targets.microcontroller.emulator.toolchain import Machine
from edgekit.targets.microcontroller.firmware import SOURCES, pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HERE = Path(__file__).parent
_KERNELS = Path(c.__file__).parent / "kernels"
_SECONDS = 600

#: Where bakenn's C may use the DSP extension, its own name for the target; elsewhere it has no better one than this.
TARGETS = {"cortex-m4": "cortex-m4", "cortex-m7": "cortex-m4", "cortex-m55": "cortex-m4"}
_PORTABLE = "portable32"

#: CMSIS-NN's Helium path asks for more scratch memory than bakenn, which does not know that processor, plans for the
#: DSP path: without more it writes past its arena's end. So much is added there, and taken off the reported RAM again.
SLACK = 65_536
SLACK_NOTE = "its arena got more than it plans, without which it writes past the end; its RAM is given as it plans it."


class Failed(Exception):
    """A peer that could not be built; the message says why."""


def optimization_of(machine: Machine) -> str:
    """The flag that the firmware itself is optimized with on `machine`."""
    return next(word for word in reversed(flags_of(machine).split()) if word.startswith("-O"))


def flags_of(machine: Machine) -> str:
    """What the firmware gives the compiler for `machine`'s processor."""
    return (SOURCES / "processors" / f"{machine.processor}.flags").read_text(encoding="utf-8").strip()


@dataclass(frozen=True)
class Optimized(Machine):
    """A processor whose programs the compiler optimizes with another flag than the firmware's own."""

    optimization: str = "-O2"

    @property
    def flags(self) -> list[str]:
        return [*super().flags, self.optimization]


@dataclass(frozen=True)
class Ours:
    """edgekit's bundle.

    Attributes:
        part: the network, with its tensors.
        macs: multiply-accumulates that an inference computes; channels that no input can change are left out.
    """

    folder: Path
    part: Part
    macs: int


@dataclass(frozen=True)
class Peer:
    """bakenn's bundle: its version, the kernels that it chose, and bytes that its arena got beyond its plan."""

    folder: Path
    version: str
    kernels: tuple[str, ...]
    slack: int


def part_of(model: Path) -> Part:
    """The network in a .tflite as a part of a model."""
    graph = reader.read(model.read_bytes()).subgraphs[0]

    def specs(name: str, indices: Sequence[int]) -> tuple[TensorSpec, ...]:
        tensors = [graph.tensors[index] for index in indices]
        return tuple(TensorSpec(f"{name}{i}", one.dtype, one.shape) for i, one in enumerate(tensors))

    return Part("network", specs("input", graph.inputs), specs("output", graph.outputs), {}, None)


def macs_of(model: Path) -> int:
    """Multiply-accumulates of an inference, as the .tflite has it: an output takes one for every weight of its own."""
    graph, total = reader.read(model.read_bytes()).subgraphs[0], 0
    for operator in graph.operators:
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            weights, output = graph.tensors[operator.inputs[1]], graph.tensors[operator.outputs[0]]
            total += output.count * weights.count // output.shape[-1]
    return total


def ours(model: Path, recipe: Recipe, inputs: Sequence[NDArray[Any]], folder: Path) -> Ours:
    """Export `model` as edgekit does, with `inputs` as golden inputs. `recipe` is a target's."""
    part = part_of(model)
    folder.mkdir(parents=True)
    checkpoint = Checkpoint(model, "tflite", {}, {}, {})
    calls = {part.name: [{part.inputs[0].name: value} for value in inputs]}
    (artifact,) = EXPORTER.export(
        bare_model(part, name=model.stem), checkpoint, recipe, calls, folder, folder, lambda *_: None
    )
    pack(folder, "cortex-m4")  # only the CMake project's default; the programs are built for any processor
    return Ours(folder, part, int(artifact.census["macs"]))


def peers(python: Path, model: Path, path: str, processor: str, inputs: Sequence[NDArray[Any]], folder: Path) -> Peer:
    """Make bakenn's bundle of `model`, which must be as `_firmware_tflite` leaves it.

    Args:
        python: interpreter of bakenn's environment. path: see `_firmware_bakenn`. inputs: golden inputs.

    Raises:
        Failed: bakenn is absent, or refuses the model.
    """
    part, made = part_of(model), folder / "bakenn"
    target = TARGETS.get(processor, _PORTABLE) if path != "portable" else _PORTABLE
    facts = _call(python, [str(model), str(made), path, target])
    source = folder / "src"
    source.mkdir(parents=True)
    for file in sorted(made.rglob("*.[ch]")):
        shutil.copyfile(file, source / file.name)
    types = source / "arm_nn_math_types.h"
    if types.is_file():  # what bakenn's CMake fragment defines for the whole library
        types.write_text(f"#define BAKENN_CMSIS_NN_BUILTIN_MEMORY\n{types.read_text(encoding='utf-8')}")
    shutil.copyfile(_KERNELS / "edgekit.h", source / "edgekit.h")
    slack = SLACK if path == "cmsis-nn" and processor == "cortex-m55" else 0
    _wrap(part, str(facts["prefix"]), slack, source)
    _golden(part, inputs, folder)
    pack(folder, "cortex-m4")
    return Peer(folder, str(facts["version"]), tuple(facts["kernels"]), slack)


def _call(python: Path, words: Sequence[str]) -> dict[str, Any]:
    if not python.is_file():
        raise Failed(f"its environment is absent ({python.parent.parent.name})")
    command = [str(python), str(_HERE / "_firmware_bakenn.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise Failed(f"bakenn refuses the model: {(done.stderr.strip().splitlines() or ['no message'])[-1][:200]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _golden(part: Part, inputs: Sequence[NDArray[Any]], folder: Path) -> None:
    """Golden inputs for the benchmark. Its outputs are not looked at there; the self-test brings vectors of its own."""
    import numpy as np

    (folder / "golden").mkdir()
    output = np.zeros((len(inputs), *(int(size) for size in part.outputs[0].shape)), part.outputs[0].dtype)
    np.save(folder / "golden" / "network.input.0.npy", np.stack(list(inputs)))
    np.save(folder / "golden" / "network.output.0.npy", output)


def _wrap(part: Part, prefix: str, slack: int, source: Path) -> None:
    """network.h and network.c around bakenn's function: the arena, input and output that its caller must own."""
    header = (source / f"{prefix}.h").read_text(encoding="utf-8")
    macro = prefix.upper()
    arena = re.search(rf"#define {macro}_ARENA_SIZE (\d+)u", header)
    if arena is None:
        raise Failed("bakenn's header does not say how large its arena is")
    sizes = [_bytes(specs[0]) for specs in (part.inputs, part.outputs)]
    facts = {"prefix": prefix, "macro": macro, "total": int(arena[1]) + slack + sum(sizes), "slack": slack}
    (source / "network.h").write_text(_HEADER.format(**facts), encoding="utf-8")
    (source / "network.c").write_text(_CODE.format(**facts), encoding="utf-8")


def _bytes(spec: TensorSpec) -> int:
    import numpy as np

    return int(np.prod([int(size) for size in spec.shape])) * np.dtype(spec.dtype).itemsize


_HEADER = """\
#ifndef NETWORK_H
#define NETWORK_H
#include "edgekit.h"
#define NETWORK_ARENA_BYTES {total}
#define NETWORK_WEIGHT_BYTES 0 /* not known; see the constants of the footprint */
#define NETWORK_INPUTS 1
#define NETWORK_OUTPUTS 1
#define NETWORK_LAYERS 1
void network_init(void);
void network_invoke(void);
ek_tensor network_input(int index);
ek_tensor network_output(int index);
#ifdef EK_PROFILE
extern const char *const network_layer_names[NETWORK_LAYERS];
#endif
#endif
"""

_CODE = """\
#include "network.h"
#include "{prefix}.h"

static uint8_t arena[{macro}_ARENA_SIZE + {slack}u + 4u] __attribute__((aligned(16)));
static int8_t input[{macro}_INPUT_BYTES] __attribute__((aligned(16)));
static int8_t output[{macro}_OUTPUT_BYTES] __attribute__((aligned(16)));

#ifdef EK_PROFILE
void ek_layer_begin(int layer);
void ek_layer_end(int layer);
const char *const network_layer_names[NETWORK_LAYERS] = {{"the whole network"}};
#endif

void network_init(void) {{}}

ek_tensor network_input(int index) {{
    (void)index;
    return (ek_tensor){{.data = input, .bytes = {macro}_INPUT_BYTES, .type = EK_INT8}};
}}

ek_tensor network_output(int index) {{
    (void)index;
    return (ek_tensor){{.data = output, .bytes = {macro}_OUTPUT_BYTES, .type = EK_INT8}};
}}

void network_invoke(void) {{
#ifdef EK_PROFILE
    ek_layer_begin(0);
#endif
    {prefix}_infer({macro}_ARENA_SIZE ? arena : 0, input, output);
#ifdef EK_PROFILE
    ek_layer_end(0);
#endif
}}
"""
