"""Types of accelerators: where the layers of a part run, whether they are right there, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edgekit.core.exporter import Artifact
    from edgekit.core.model import Part
    from edgekit.core.target import Board
    from edgekit.core.values import Feeds


#: Forms of layers that are not computed in integers.
FLOAT_FORMS = ("float", "weight-only", "table")


@dataclass(frozen=True)
class Lowering:
    """What a runtime may know of a part that it compiles ahead.

    Attributes:
        board: that the user names. calls: real calls that calibrated nothing: inputs, and the fp32 reference's outputs.
    """

    part: Part
    board: Board | None
    calls: Sequence[tuple[Feeds, Feeds]]


@dataclass(frozen=True)
class Proof:
    """How far a part on its unit is from the processor and from the reference, on real calls that calibrated nothing.

    All are signal to noise in decibels, of the worst output: 20 dB is a difference of 10 %, 40 dB of 1 %.

    Attributes:
        cpu: from the processor of this machine, with the same file. fp32: from the fp32 reference.
        cpu_fp32: the processor from the reference. calls: how many calls were compared.
    """

    cpu: float | None = None
    fp32: float | None = None
    cpu_fp32: float | None = None
    calls: int = 0


@dataclass(frozen=True)
class Case:
    """A graph and calls with known answers, for a phone to repeat.

    Attributes:
        name: letters, digits, dots and hyphens. model: the bytes of an ONNX file. calls: inputs, and a processor's
            answers. least: signal to noise (dB) from which on an answer is right.
        compiled: what an accelerator opens in place of `model`: an ONNX file, then files that it names.
    """

    name: str
    model: bytes
    calls: Sequence[tuple[Feeds, Feeds]]
    least: float
    compiled: Sequence[Path] = ()


@dataclass(frozen=True)
class Placement:
    """Where the layers of a part run.

    Attributes:
        unit: the accelerator, or the library of kernels: ``"Qualcomm HTP, SM8650"``, ``"XNNPACK"``. by: who says so:
            ``"onnxruntime-qnn 2.7.0"``.
        fidelity: how: ``"simulated"`` (the vendor's simulator or runtime computed it), ``"estimated"`` (its compiler
            says so, and nothing was computed), ``"counted"`` (in what the runtime made of the file on this machine,
            where parity proves the part as it is: it needs no proof of its own).
        multiplications, weights: shares, from 0 to 1, of the part's multiplications and of its weights' bytes that the
            unit has. None: the part has none.
        pieces: runs of layers on the unit; between two of them everything goes to the processor and back.
        left: layer -> why the unit does not compute it.
        sizes: of dynamic axes that it is compiled for, a phrase: calls of other sizes run on the processor. "": all.
        files: what the unit runs, relative to the bundle; empty where the part's own file is it.
        cost: what is known of time and memory, a phrase with its fidelity; "" where nothing is.
        proof: whether it is right there; None: not measured, as nothing computes what the unit does.
        verdict: ``"on the unit"``; ``"leave it off"``: the processor is the better place, or the only right one.
        why: of the verdict, a phrase.
    """

    unit: str
    by: str
    fidelity: Literal["simulated", "estimated", "counted"]
    multiplications: float | None
    weights: float | None
    pieces: int
    left: Mapping[str, str] = field(default_factory=dict)
    sizes: str = ""
    files: Sequence[str] = ()
    cost: str = ""
    proof: Proof | None = None
    verdict: Literal["on the unit", "leave it off"] = "on the unit"
    why: str = ""

    @property
    def share(self) -> float:
        """What decides whether a part is placed: the share of its multiplications; of its weights if it has none."""
        shares = (self.multiplications, self.weights)
        return next((share for share in shares if share is not None), float(self.pieces > 0))

    def note_in(self, artifact: Artifact) -> Artifact:
        """`artifact` with this placement in its census."""
        return replace(artifact, census={**artifact.census, "placement": asdict(self)})


def share_of(some: int, whole: int) -> float | None:
    """`some` as a share of `whole`; None of nothing."""
    return some / whole if whole else None
