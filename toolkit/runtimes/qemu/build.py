"""Generated C on this machine: compile it, and call it through ctypes as a `Runner`.

What runs here is what runs on the chip, but for the instructions of its code path; the portable path and the DSP path
give the same answers (tested), so parity and accuracy are measured on the very sources that a bundle ships.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import BadInput, ExportFailed, MissingExtra
from edgekit.formats.descriptions import parse_specs
from edgekit.runtimes.common.feeds import checked_feeds
from edgekit.runtimes.qemu.description import description_of
from edgekit.runtimes.qemu.vouching import read_vouched_files

FLAGS = ("-std=gnu99", "-O2", "-fPIC", "-shared", "-w")
_SECONDS = 300


def compiler() -> list[str]:
    """The command of a C compiler for this machine: CC, cc, gcc or clang, else ziglang from the package index.

    Raises:
        MissingExtra: there is none.
    """
    named = os.environ.get("CC", "").split()
    for command in ([named] if named else []) + [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]):
            return command
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise MissingExtra(
        "a C compiler for this machine is needed to run generated C, and there is none.",
        hint="Install gcc or clang with the system's package manager, or: pip install ziglang",
    )


def shared_library(sources: Sequence[Path], include: Path, out: Path, flags: Sequence[str] = FLAGS) -> Path:
    """Compile `sources` into the shared library `out`.

    Raises:
        ExportFailed: the compiler refuses them; its first error line is in the message. MissingExtra: no compiler.
    """
    command = [*compiler(), *flags, f"-I{include}", *map(str, sources), "-o", str(out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as exc:
        raise ExportFailed(f"the C compiler did not finish within {_SECONDS} s.") from exc
    if done.returncode:
        lines = (
            [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["no text"]
        )
        raise ExportFailed(f"the C compiler refuses the generated code: {lines[0].strip()}.")
    return out


class _Tensor(ctypes.Structure):
    """`ek_tensor` of edgekit.h."""

    _fields_ = (
        ("data", ctypes.c_void_p), ("bytes", ctypes.c_uint32), ("type", ctypes.c_int), ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32), ("rank", ctypes.c_int32), ("shape", ctypes.c_int32 * 5),
    )  # fmt: skip


def load(source: Path) -> NetworkRunner | FrontendRunner:
    """The part whose main file is `source` (``src/network.c`` of a bundle), compiled and opened.

    Raises:
        BadInput: nobody has vouched for it (`edgekit.runtimes.qemu.vouching`), or it is not described.
        ExportFailed, MissingExtra: it does not compile here.
    """
    files, name = read_vouched_files(source.parent), source.stem
    facts = description_of(files, name)
    inputs, outputs = parse_specs(facts)
    # What is compiled is what was checked: the bundle is not read again.
    with tempfile.TemporaryDirectory(prefix="edgekit-c-") as scratch:
        folder = Path(scratch)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        sources = [folder / file for file in (f"{name}.c", *facts["sources"])]
        library = shared_library(sources, folder, folder / f"{name}.so")
        try:
            opened = ctypes.CDLL(str(library))  # once it is mapped, it needs its name no more
        except OSError as exc:
            raise BadInput(f"what was compiled of {source.name} cannot be loaded: {exc}.") from exc
    runner = NetworkRunner if facts["kind"] == "network" else FrontendRunner
    return runner(opened, name, inputs, outputs)


class NetworkRunner(Runner):
    """A generated network. Its memory is its library's: one runner, one stream."""

    stateful = True

    def __init__(
        self, library: Any, name: str, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        for side in ("input", "output"):
            getattr(library, f"{name}_{side}").restype = _Tensor
        self._invoke, self._init = getattr(library, f"{name}_invoke"), getattr(library, f"{name}_init")
        self._held = {
            spec.name: getattr(library, f"{name}_{side}")(i)
            for side, specs in (("input", inputs), ("output", outputs))
            for i, spec in enumerate(specs)
        }
        for spec in (*inputs, *outputs):
            if tuple(self._held[spec.name].shape)[: len(spec.shape)] != spec.shape:
                raise BadInput(f"the generated code and its description disagree about {spec.name!r}.")
        self._init()

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        for spec, value in zip(self.inputs, checked_feeds("Generated C", self.inputs, feeds), strict=True):
            ctypes.memmove(self._held[spec.name].data, value.ctypes.data, value.nbytes)
        self._invoke()
        return {
            spec.name: np.frombuffer(
                ctypes.string_at(self._held[spec.name].data, self._held[spec.name].bytes), spec.dtype
            ).reshape(spec.shape)  # type: ignore[arg-type]
            for spec in self.outputs
        }

    def reset(self) -> None:
        """Forget all state."""
        self._init()


class FrontendRunner(Runner):
    """A frontend in C: samples int16 [samples] to features int8 [frames, features], each call a sound of its own."""

    def __init__(
        self, library: Any, name: str, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._reset, self._push = getattr(library, f"{name}_reset"), getattr(library, f"{name}_push")
        self._push.restype = ctypes.c_size_t
        self._push.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        samples = np.ascontiguousarray(feeds[self.inputs[0].name], np.int16).reshape(-1)
        width = int(self.outputs[0].shape[-1])
        frame, ready, taken = np.zeros(width, np.int8), ctypes.c_int(0), 0
        frames: list[NDArray[Any]] = []
        self._reset()
        while taken < samples.size:
            place = samples.ctypes.data + 2 * taken
            taken += self._push(place, samples.size - taken, frame.ctypes.data, ctypes.byref(ready))
            if ready.value:
                frames.append(frame.copy())
        return {self.outputs[0].name: np.array(frames, np.int8).reshape(len(frames), width)}
