"""The golden vectors on the emulated chip, byte by byte, and where a computation leaves the right path first."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import BadInput, DeviceFailed, EdgekitError, MissingExtra, ParityFailed
from edgekit.targets.microcontroller.emulator.qemu import Result, run
from edgekit.targets.microcontroller.emulator.toolchain import HOST, Machine, build
from edgekit.targets.microcontroller.golden_headers import Vectors, write_golden


@dataclass(frozen=True)
class Passed:
    """What was compared, and equal.

    Attributes:
        vectors: golden vectors of the network, every byte of every output.
        frames: frames of features of the frontend, 0 where there is none. differing: how many of their values were not
        the reference's own, and furthest: by how much at most (within the bundle's tolerance).
    """

    vectors: int
    frames: int = 0
    differing: int = 0
    furthest: int = 0


def self_test(
    bundle: Path,
    machine: Machine,
    *,
    vectors: Vectors | None = None,
    timeout: float = 120,
) -> Passed:
    """Build the bundle's self-test for `machine` and run it in its emulator (or here, for `HOST`).

    Args:
        vectors: to test instead of the bundle's own, at most 16 MB.

    Raises:
        ParityFailed: an output differs; names the first vector, and the first layer that computes something else there
            than on this computer. MissingExtra: no compiler or emulator. DeviceFailed: it crashed or hung.
        BadInput: not a firmware bundle, or golden vectors of another network.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as scratch:
        work = Path(scratch)
        golden = None
        if vectors is not None:
            golden = work / "golden"
            write_golden(golden, vectors, max_bytes=16_000_000)
        result = run(build(bundle, machine, "self_test", work / "chip", golden=golden), machine, timeout)
        if result.code == 2:
            raise BadInput(f"{bundle}: {' '.join(result.lines[-1:]).removeprefix('ERROR ')}.")
        if result.code == 3:
            raise DeviceFailed(f"{bundle}: {' '.join(result.lines[-1:]).removeprefix('ERROR ')}.")
        facts = _facts(result)
        if result.code == 0 and result.lines[-1:] == ("PASS",) and "vectors" in facts:
            return Passed(
                facts["vectors"],
                facts.get("frontend_frames", 0),
                facts.get("frontend_differing", 0),
                facts.get("frontend_furthest", 0),
            )
        raise _difference(bundle, machine, result, facts, work, golden, timeout)


def _facts(result: Result) -> dict[str, int]:
    """The lines "key value"."""
    pairs = [line.split(" ") for line in result.lines]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _difference(
    bundle: Path,
    machine: Machine,
    result: Result,
    facts: dict[str, int],
    work: Path,
    golden: Path | None,
    timeout: float,
) -> EdgekitError:
    """The error that describes a self-test which did not pass."""
    where = machine.board or "this computer"
    failed = [line for line in result.lines if line.startswith("vector ") and " FAIL " in line]
    if not failed:
        if "frontend FAIL" in result.lines:
            off = f"{facts.get('frontend_furthest')} steps at most, {facts.get('frontend_differing')} values"
            return ParityFailed(f"the frontend does not give the golden features on {where}: off by {off}.")
        return DeviceFailed(f"the self-test on {where} ended without a verdict: {' '.join(result.lines[-1:])!r}.")
    _, vector, _, differing = failed[0].split(" ", 3)
    try:
        layer = _diverging(bundle, machine, int(vector), work, golden, timeout)
    except (MissingExtra, DeviceFailed) as exc:
        layer = f"Which layer is the first to differ is not known: {exc.message}"
    return ParityFailed(
        f"{len(failed)} of {facts.get('vectors', '?')} golden vectors differ on {where}; the first is {vector}, "
        f"where {differing}. {layer}"
    )


def _diverging(bundle: Path, machine: Machine, vector: int, work: Path, golden: Path | None, timeout: float) -> str:
    """A sentence about the first layer whose output on the chip differs from that on this computer."""
    if machine == HOST:
        return "This is the portable code, so it is not a matter of the processor."
    chip, here = (
        _trace(run(build(bundle, runner, "trace", work / name, ("EK_TRACE",), golden), runner, timeout), vector)
        for runner, name in ((machine, "chip"), (HOST, "host"))
    )
    for layer, (on_chip, on_host) in enumerate(zip(chip, here, strict=False)):
        if on_chip != on_host:
            name = _name(bundle, layer, work, timeout)
            return f"Layer {layer} ({name}) is the first whose output is not what the same code gives on this computer."
    return "Every layer gives what the same code gives on this computer, so the code or the golden vectors are wrong."


def _name(bundle: Path, layer: int, work: Path, timeout: float) -> str:
    """What the generated code calls its layer number `layer`: the benchmark says it, also where nothing is counted."""
    lines = run(build(bundle, HOST, "bench", work / "host", ("EK_PROFILE",)), HOST, timeout).lines
    return next(line.split(" ", 3)[3] for line in lines if line.startswith(f"layer {layer} "))


def _trace(result: Result, vector: int) -> list[str]:
    """The checksum of every layer's output, in the inference of golden vector number `vector`."""
    layers: list[str] = []
    for line in result.lines:
        if line.startswith("trace "):
            layers.append(line.split(" ")[2])
        elif line.startswith(f"vector {vector} "):
            break
        elif line.startswith("vector "):
            layers.clear()
    return layers
