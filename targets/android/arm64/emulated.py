"""Phones' processors without a phone: 64-bit Arm under user-mode emulation.

A program of `phone/` runs the calls that the golden input made on this machine through every part, with the same
runtime for Arm, on two processors: without and with instructions for products of bytes, which take different kernels.
It tells right from wrong, and an upper bound of memory. It never tells milliseconds.

What a runtime needs is in a file of its own: `onnx`, `litert`, `gguf`.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.packed import plain
from edgekit.core import Calls, Facts, Feeds, Json, fact_of
from edgekit.errors import DeviceFailed
from edgekit.targets.android.arm64.kit import Tools
from edgekit.targets.common import calls as calls_module
from edgekit.targets.common.agreement import LIMITS, arithmetic, check, distances, reference, steps
from edgekit.targets.common.manifest import Part, read_manifest

__all__ = ["LIMITS", "PROCESSORS", "check_parity", "emulate", "prove", "runtime_of", "steps"]

#: Emulated processor -> what is special about it.
PROCESSORS = {"cortex-a53": "no dot product", "cortex-a76": "dot product"}
#: Exporters whose runtime is available for Arm.
_EXPORTERS = ("onnx", "litert", "gguf")
#: Seconds that a part may take on a processor: some hundred times as long as on this machine.
_SECONDS = 1800


def runtime_of(exporter: str) -> Any:
    """The module with what the runtime of an exporter's bundles takes on Arm; None where it is not had for Arm."""
    return importlib.import_module(f"edgekit.targets.android.arm64.{exporter}") if exporter in _EXPORTERS else None


def prove(bundle: Path, calls: Calls) -> Facts:
    """Run the calls of every part of a bundle on emulated processors, and compare the answers with `calls`.

    Returns:
        ``{"device": "emulated-arm64", "fidelity": "emulated", "runtime": ..., "parts": {part: {"arithmetic": see
        `agreement.arithmetic`, processor: {"fp32": error against the reference, "here": error against this machine,
        "steps": see `agreement.steps`}}}, "memory_at_most": bytes}``; for language models each processor also has
        ``"greedy"`` (see `edgekit.targets.android.arm64.gguf.greedy`). ``{"not measured": reason}`` for formats whose
        runtime is not available for Arm.

    Raises:
        ParityFailed: a part gives another answer there. DeviceFailed: it crashed, hung or printed nothing.
        MissingExtra: compiler, emulator or runtime are absent.
    """
    manifest = read_manifest(bundle)
    exporter, precision = manifest["recipe"]["exporter"], manifest["recipe"]["precision"]
    if (runtime := runtime_of(exporter)) is None:
        return {"not measured": f"the runtime of {exporter} for 64-bit Arm is not among the tools of this target"}
    tools: Tools = runtime.tools()
    golden = reference(bundle / manifest["golden"]["reference"])
    parts: dict[str, dict[str, Json]] = {}
    peak, versions = 0, set()
    for part in manifest["parts"]:
        name = part["name"]
        feeds, here = zip(*calls[name], strict=True)
        parts[name] = {"arithmetic": arithmetic(part.get("census", {}), precision)}
        with plain(bundle / part["file"]) as file:
            for processor in PROCESSORS:
                answers, report = emulate(tools, file, runtime.feeds_of(file, feeds), processor)
                there = runtime.outputs_of(file, answers)
                parts[name][processor] = check_parity(runtime, part, precision, processor, there, here, golden)
                peak = max(peak, fact_of(report, "peak", int))
                versions.add(f"{runtime.NAME} {report['runtime']}".strip())
    facts = {"device": "emulated-arm64", "fidelity": "emulated", "runtime": ", ".join(sorted(versions))}
    return {**facts, "parts": parts, "memory_at_most": peak}


def check_parity(
    runtime: Any,
    part: Part,
    precision: str,
    processor: str,
    there: Sequence[Feeds],
    here: Sequence[Feeds],
    golden: Feeds,
) -> Facts:
    """How far the answers `there` of a part, as its manifest has it, are from fp32 and from those `here`.

    Args:
        runtime: as `runtime_of` gives it. processor: where that is, for messages. golden: see `reference`.

    Returns:
        As `edgekit.targets.common.agreement.distances`; for language models also ``"greedy"``.

    Raises:
        ParityFailed: further than the precision, and the part's arithmetic, explain.
    """
    name = part["name"]
    off = distances(name, there, here, golden)
    mine = distances(name, here, here, golden)["fp32"]
    check(name, processor, precision, off, arithmetic(part.get("census", {}), precision), mine)
    if runtime.LANGUAGE:
        runtime.check(name, processor, off, mine)
        return {**off, "greedy": runtime.greedy(there, here)}
    return off


def emulate(tools: Tools, model: Path, feeds: Sequence[Feeds], processor: str) -> tuple[list[Any], Facts]:
    """The answers of `model` to each of `feeds` on an emulated `processor`, and the program's report.

    Raises:
        DeviceFailed: the program crashed, hung or gave no whole answer.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-arm64-") as work:
        asked, answers = Path(work) / "calls", Path(work) / "answers"
        calls_module.write(asked, feeds)
        command = [*tools.command(processor), str(model), "1", str(asked), str(answers)]
        try:
            quiet = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}  # from 1.29 on the runtime reports to its makers
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, env=quiet
            )
        except subprocess.TimeoutExpired as exc:
            raise DeviceFailed(f"{model.name} did not come to an end within {_SECONDS} s on {processor}.") from exc
        if done.returncode:
            said = done.stderr.strip().splitlines()  # the runtime's own log comes first
            reason = said[-1] if said else f"exit code {done.returncode}"
            raise DeviceFailed(f"{model.name} failed on the emulated {processor}: {reason}")
        try:
            return calls_module.read(answers), json.loads(done.stdout)
        except ValueError as exc:
            raise DeviceFailed(f"the program on the emulated {processor} did not tell how it went.") from exc
