"""Generated networks as the tests compile them: many in one library, so that the compiler starts once."""

from __future__ import annotations

import ctypes
import functools
import operator
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import edgekit.exporters.c as c_exporter
from edgekit.core import TensorSpec
from edgekit.exporters.c import arena, write
from edgekit.exporters.c.layouts import layout as c_layout
from edgekit.exporters.c.lowering import graph
from edgekit.formats.tflite import reader
from edgekit.runtimes.qemu import build

KERNELS = Path(str(c_exporter.__file__)).parent / "kernels"
#: Without the runtime check of leaks and the like; any report of undefined behaviour ends the process.
SANITIZED = ("-std=gnu99", "-O1", "-g", "-fPIC", "-shared", "-fsanitize=undefined", "-fno-sanitize-recover=all")
FAST = ("-std=gnu99", "-O2", "-fPIC", "-shared")


class Batch:
    """Many networks in one library, so that the compiler starts once."""

    def __init__(self, folder: Path, contents: Sequence[bytes], layout: str, flags: Sequence[str] = FAST) -> None:
        folder.mkdir(parents=True)
        self.programs = []
        ways = 0
        for i, content in enumerate(contents):
            program = graph.lower(reader.read(content), layout)
            self.programs.append(program)
            ways |= functools.reduce(operator.or_, (layer.ways for layer in program.layers), 0)
            for name, text in write.write(program, arena.plan(program), f"n{i}", "a test").files.items():
                (folder / name).write_text(text)
        kernels = Path(_kernels(c_layout.header(layout, ways), tuple(flags)).name)
        sources = [*sorted(folder.glob("*.c")), *sorted(kernels.glob("*.o"))]
        self.library = ctypes.CDLL(str(build.shared_library(sources, kernels, folder / "all.so", flags)))

    def runner(self, number: int) -> build.NetworkRunner:
        return build.NetworkRunner(self.library, f"n{number}", *specs(self.programs[number]))


@functools.cache
def _kernels(layout: str, flags: tuple[str, ...]) -> tempfile.TemporaryDirectory[str]:
    """The kernels' sources and objects. To compile all takes as long as to compile sixty networks."""
    held = tempfile.TemporaryDirectory(prefix="edgekit-kernels-")
    folder = Path(held.name)
    for path in KERNELS.iterdir():
        shutil.copyfile(path, folder / path.name)
    (folder / "layout.h").write_text(layout)
    sources = [path.name for path in sorted(folder.glob("*.c"))]
    command = [*build.compiler(), *(flag for flag in flags if flag != "-shared"), "-I.", "-c", *sources]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    return held


def specs(program: graph.Program) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    def of(side: str, indices: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        tensors = [program.tensors[i] for i in indices]
        return tuple(TensorSpec(f"{side}{i}", t.dtype, t.shape) for i, t in enumerate(tensors))

    return of("in", program.inputs), of("out", program.outputs)
