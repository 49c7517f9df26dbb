"""The verdict on an accelerator: is the part there, is it right there, is it worth it?

Labels are no judge: networks that gave noise kept all their labels. What decides is the distance from the processor
with the same file, and from the fp32 reference, on real calls that calibrated nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.bundles.facts import recipe_in
from edgekit.bundles.opened import makers
from edgekit.bundles.places import is_quantized, list_left, placement_of
from edgekit.common.lazy import NDArray, np
from edgekit.common.processors import usable_processors
from edgekit.core import Artifact, Bundle, Calls, Feeds, Placement, Proof, Recipe, Runtime
from edgekit.errors import ParityFailed
from edgekit.numerics.parity import decibels, relative_error
from edgekit.registry import find

if TYPE_CHECKING:
    from collections.abc import Mapping

    Outputs = Mapping[str, NDArray[Any]]
    Call = tuple[Feeds, Outputs]

#: How much further (dB) from fp32 the unit may be than the processor is, where both compute in integers.
_FURTHER = 1.0


def judge_part(
    runtime: Runtime, artifact: Artifact, folder: Path, recipe: Recipe, calls: Sequence[Call]
) -> tuple[Artifact, float]:
    """`artifact` with the proof of its placement, and its relative error from the reference.

    Args:
        folder: of its files. calls: real ones, few as simulators are slow, with the reference's outputs.

    Raises:
        ParityFailed: it is wrong on its unit; the message names the first layer that is.
    """
    placement = placement_of(artifact.census)
    assert placement is not None
    runner = runtime.load(folder / artifact.file, usable_processors())
    outputs, references = [runner(feeds) for feeds, _ in calls], [reference for _, reference in calls]
    fp32 = _error(outputs, references)
    processor = find("runtimes", runtime.cpu).load(folder / artifact.file, 1)
    beside = [processor(feeds) for feeds, _ in calls]
    cpu, cpu_fp32 = _error(outputs, beside), _error(beside, references)
    proof = Proof(decibels(cpu), decibels(fp32), decibels(cpu_fp32), len(calls))
    quantized = is_quantized(artifact.census)
    if why := _why_wrong(proof, runtime.least_signal(recipe, quantized), quantized):
        wrong = runtime.find_wrong_layer(folder / artifact.file, calls[0][0])
        first = f"; the first layer that goes wrong: {wrong}" if wrong else ""
        raise ParityFailed(
            f"the part {artifact.part!r} is wrong on {placement.unit}, says {placement.by}: {why}{first}.",
            hint="Try another --precision, or the processor: another --runtime.",
        )
    return replace(placement, proof=proof, why=_why_right(placement, proof)).note_in(artifact), fp32


def check_again(bundle: Bundle, calls: Calls, beside: Calls) -> dict[str, float]:
    """Part -> signal to noise (dB) of its accelerator beside a processor with the same file, on the golden input.

    Args:
        calls: what the bundle computed. beside: the same calls, as a processor computes them.

    Raises:
        ParityFailed: a part is wrong on its accelerator.
    """
    runtime, recipe, found = makers(bundle).runtime, recipe_in(bundle.manifest), dict[str, float]()
    for part in bundle.manifest.parts:
        placement = placement_of(part.census)
        if placement is None or placement.verdict == "leave it off" or placement.fidelity != "simulated":
            continue
        outputs, expected = ([made for _, made in source[part.name]] for source in (calls, beside))
        found[part.name] = decibels(_error(outputs, expected))
        least = runtime.least_signal(recipe, is_quantized(part.census))
        if not found[part.name] >= least:
            raise ParityFailed(
                f"the part {part.name!r} is {found[part.name]:.0f} dB from the processor on {placement.unit}; "
                f"{least:.0f} is the least.",
                hint="Export the bundle again.",
            )
    return found


def _error(outputs: Sequence[Outputs], expected: Sequence[Outputs]) -> float:
    """`relative_error` of each output over all calls together: of a probability that is 1e-9 in one call and 0.9 in the
    next, half precision has nothing to say in the first."""
    names = expected[0] if expected else {}
    if any(not names.keys() <= out.keys() for out in (*outputs, *expected)):
        return float("inf")
    made, wanted = (
        {name: np.concatenate([call[name].reshape(-1) for call in side]) for name in names}
        for side in (outputs, expected)
    )
    return relative_error([made], [wanted])


def _why_wrong(proof: Proof, least: float, quantized: bool) -> str:
    """What the proof lacks, as a phrase; "" where it is enough."""
    assert proof.cpu is not None and proof.fp32 is not None and proof.cpu_fp32 is not None
    if not proof.cpu >= least:
        return f"{proof.cpu:.0f} dB from the processor with the same file, where {least:.0f} is the least"
    if quantized and proof.fp32 < proof.cpu_fp32 - _FURTHER:
        return f"{proof.fp32:.1f} dB from fp32, where the processor is {proof.cpu_fp32:.1f}"
    return ""


def _why_right(placement: Placement, proof: Proof) -> str:
    return f"{proof.cpu:.0f} dB from the processor, {proof.fp32:.0f} dB from fp32, on {proof.calls} real calls"


def leave_off(artifact: Artifact, folder: Path, why: str) -> Artifact:
    """`artifact` for the processor alone: what was made for the unit is deleted, and the reason kept."""
    placement = placement_of(artifact.census)
    assert placement is not None
    for name in placement.files:
        (folder / name).unlink(missing_ok=True)
    return replace(placement, files=(), verdict="leave it off", why=why).note_in(artifact)


def check_placed(artifacts: Sequence[Artifact], least: float) -> None:
    """Raise ParityFailed if less than a share `least` of the multiplications of all parts is on its unit.

    Of parts without multiplications nothing is asked.
    """
    found = [(artifact.part, placement_of(artifact.census)) for artifact in artifacts]
    for part, placement in found:
        if placement is None or placement.multiplications is None:
            continue
        off = placement.verdict == "leave it off"
        share = 0.0 if off else placement.multiplications
        if share < least:
            left = placement.why if off else "; ".join(list_left(placement))
            raise ParityFailed(
                f"the part {part!r}: {share:.1%} of the multiplications are on {placement.unit}, and --require-placed "
                f"asks for {least:.1%}: {left}.",
                hint="Ask for less, or take another --precision.",
            )
