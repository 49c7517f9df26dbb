"""What MediaPipe's models share: where their weights are, and all of their declaration but the networks.

Weights: https://github.com/google-ai-edge/mediapipe (Lugaresi et al. 2019, arXiv:1906.08172), float16 .tflite files in
its package. They are translated to torch (`edgekit.formats.tflite.translation`) and quantized here. Normalising pixels
and decoding anchors are in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import core
from edgekit.common import package_data
from edgekit.numerics import weighing
from edgekit.tasks.evidence.people import PEOPLE

_PACKAGE, _VERSION = "mediapipe", "0.10.21"
_LICENCE = "data/licences/mediapipe-licence.txt"


@dataclass(frozen=True)
class File:
    """A .tflite of the package: its path below ``mediapipe/modules/`` without the ending, and its pins."""

    path: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.path.rpartition('/')[2]}.tflite"


@dataclass(frozen=True)
class Member:
    """A model of MediaPipe's.

    Attributes:
        name: registry name. task: its name. files: of its networks. parts: of the model. works: of the parts.
        facts: for the predictor, see the task's. parameters: number of weights. reference: bytes of the golden answers.
        golden: package-data file of the golden input. predictor: instead of the task's.
    """

    name: str
    task: str
    files: tuple[File, ...]
    parts: tuple[core.Part, ...]
    works: tuple[core.Work, ...]
    facts: core.Facts
    evaluation: core.Evaluation
    parameters: int
    reference: int
    labels: Sequence[str] = ()
    golden: str = "data/golden/astronaut.png"
    predictor: Callable[[Mapping[str, core.Runner], Path, core.Facts], core.Predictor] | None = None


def declare_model(member: Member) -> core.Model:
    """The declaration of a member."""
    package = f"pypi://{_PACKAGE}"
    files = tuple(
        core.SourceFile(
            file.name, file.sha256, file.size, (f"{package}@{_VERSION}/mediapipe/modules/{file.path}.tflite",)
        )
        for file in member.files
    )

    def prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
        for part in member.parts:
            if part.build is not None:
                part.build(checkpoint)  # refuses other weights
        return {"channels": "RGB", **member.facts}

    return core.Model(
        identity=core.Identity(name=member.name, family="mediapipe", licence="Apache-2.0", licence_text=_LICENCE),
        weights=core.Weights(sources=(core.Source(package, _VERSION, "Apache-2.0", files),), prepare=prepare),
        network=core.Network(
            parts=member.parts,
            parameters=member.parameters,
            # int8 of the two small ones is refused; of pose it takes long, as every layer's share of the error is
            # measured. It is made on demand.
            preferred="fp16",
        ),
        task=core.Usage(
            name=member.task,
            golden=member.golden,
            labels=member.labels,
            evaluation=member.evaluation,
            predictor=member.predictor,
            evidence=PEOPLE,
        ),
        costs=weighing.costs(member.works, package_data.size(member.golden, _LICENCE) + member.reference),
    )
