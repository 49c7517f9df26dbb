"""Phones' processors without a phone: 64-bit Arm under user-mode emulation.

The program of `phone/replay.cpp` runs the calls that the golden input made on this machine through every part, with the
same runtime for Arm, on two processors: without and with instructions for products of bytes, which take different
kernels. It tells right from wrong, and an upper bound of memory. It never tells milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Calls, Feeds
from edgekit.errors import DeviceFailed
from edgekit.targets import _calls
from edgekit.targets._agreement import LIMITS, check, distances, reference, steps
from edgekit.targets._arm64_build import Tools, tools

__all__ = ["LIMITS", "PROCESSORS", "emulate", "prove", "steps"]

#: Emulated processor -> what is special about it.
PROCESSORS = {"cortex-a53": "no dot product", "cortex-a76": "dot product"}
#: Seconds that one part may take on one processor: some hundred times as long as on this machine.
_SECONDS = 1800


def prove(bundle: Path, calls: Calls) -> Mapping[str, Any]:
    """Run the calls of every part of an onnx bundle on emulated processors, and compare the answers with `calls`.

    Returns:
        ``{"device": "emulated-arm64", "runtime": ..., "processors": [...], "furthest": {part: {"fp32": error against
        the reference, "here": error against this machine, "steps": see `steps`}}, "peak": bytes}``;
        ``{"not measured": reason}`` for formats whose runtime is not had for Arm here.

    Raises:
        ParityFailed: a part gives another answer there. DeviceFailed: it crashed, hung or said nothing.
        MissingExtra: compiler, emulator or runtime are absent.
    """
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    exporter, precision = manifest["recipe"]["exporter"], manifest["recipe"]["precision"]
    if exporter != "onnx":
        return {"not measured": f"the runtime of {exporter} for 64-bit Arm is not among the tools of this target"}
    found = tools()
    golden = reference(bundle / manifest["golden"]["reference"])
    furthest: dict[str, Mapping[str, float]] = {}
    peak, runtime = 0, ""
    for part in manifest["parts"]:
        name, file = part["name"], bundle / part["file"]
        feeds, here = zip(*calls[name], strict=True)
        for processor in PROCESSORS:
            there, told = emulate(found, file, feeds, processor)
            peak, runtime = max(peak, int(told["peak"])), str(told["runtime"])
            off = distances(name, there, here, golden)
            check(name, processor, precision, off)
            furthest[name] = max(off, furthest.get(name, off), key=lambda one: one["here"])
    return {
        "device": "emulated-arm64",
        "runtime": f"onnxruntime {runtime}",
        "processors": list(PROCESSORS),
        "furthest": furthest,
        "peak": peak,
    }


def emulate(found: Tools, model: Path, feeds: Sequence[Feeds], processor: str) -> tuple[list[Any], Mapping[str, Any]]:
    """The answers of `model` to each of `feeds` on an emulated `processor`, and what the program told.

    Raises:
        DeviceFailed: the program crashed, hung or gave no whole answer.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-arm64-") as work:
        asked, said = Path(work) / "calls", Path(work) / "answers"
        _calls.write(asked, feeds)
        command = [*found.command(processor), str(model), "1", str(asked), str(said)]
        try:
            quiet = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}  # from 1.29 on the runtime reports to its makers
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, env=quiet
            )
        except subprocess.TimeoutExpired as exc:
            raise DeviceFailed(f"{model.name} did not come to an end within {_SECONDS} s on {processor}.") from exc
        if done.returncode:
            reason = next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
            raise DeviceFailed(f"{model.name} failed on the emulated {processor}: {reason}")
        try:
            return _calls.read(said), json.loads(done.stdout)
        except ValueError as exc:
            raise DeviceFailed(f"the program on the emulated {processor} did not tell how it went.") from exc
