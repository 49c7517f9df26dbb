"""Generated networks as the tests compile them: many in one library, so that the compiler starts once."""

from __future__ import annotations

import ctypes
import functools
import operator
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgekit.core import TensorSpec
from edgekit.exporters.c import arena, build, write
from edgekit.exporters.c.layouts import layout as c_layout
from edgekit.exporters.c.lowering import graph
from edgekit.formats.tflite import reader

KERNELS = Path(build.__file__).parent / "kernels"
#: Without the runtime check of leaks and the like; any report of undefined behaviour ends the process.
SANITIZED = ("-std=gnu99", "-O1", "-g", "-fPIC", "-shared", "-fsanitize=undefined", "-fno-sanitize-recover=all")
FAST = ("-std=gnu99", "-O2", "-fPIC", "-shared")


class Batch:
    """Many networks in one library, so that the compiler starts once."""

    def __init__(self, folder: Path, contents: Sequence[bytes], layout: str, flags: Sequence[str] = FAST) -> None:
        folder.mkdir(parents=True)
        self.programs = []
        ways = 0
        for path in KERNELS.iterdir():
            shutil.copyfile(path, folder / path.name)
        for i, content in enumerate(contents):
            program = graph.lower(reader.read(content), layout)
            self.programs.append(program)
            ways |= functools.reduce(operator.or_, (layer.ways for layer in program.layers), 0)
            for name, text in write.write(program, arena.plan(program), f"n{i}", "a test").files.items():
                (folder / name).write_text(text)
        (folder / "layout.h").write_text(c_layout.header(layout, ways))
        library = build.shared_library(sorted(folder.glob("*.c")), folder, folder / "all.so", flags)
        self.library = ctypes.CDLL(str(library))

    def runner(self, number: int) -> build.NetworkRunner:
        return build.NetworkRunner(self.library, f"n{number}", *specs(self.programs[number]))


def specs(program: graph.Program) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    def of(side: str, indices: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        tensors = [program.tensors[i] for i in indices]
        return tuple(TensorSpec(f"{side}{i}", t.dtype, t.shape) for i, t in enumerate(tensors))

    return of("in", program.inputs), of("out", program.outputs)
