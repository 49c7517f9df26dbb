"""The two networks of MediaPipe's pipelines: a detector with anchors, and points in the square that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core import Checkpoint, Evaluation, Facts, Part, TensorSpec, Work
from edgekit.models.mediapipe.family import File, Member


@dataclass(frozen=True)
class Detector:
    """A network that says of each of its anchors whether it is a thing, where, and where its points are.

    Attributes:
        name: of the part. size: of its square input. grids: (stride, anchors in a cell) of each map, in order.
        points: of each thing. signed: whether it takes values from -1 to 1, else from 0. label: of the thing.
        work: of the part.
    """

    name: str
    file: File
    size: int
    grids: tuple[tuple[int, int], ...]
    points: int
    signed: bool
    label: str
    work: Work

    @property
    def anchors(self) -> int:
        return sum(count * (self.size // stride) ** 2 for stride, count in self.grids)

    def part(self) -> Part:
        """See `edgekit.models.mediapipe.networks.AnchorDetector`."""
        numbers = {"boxes": 4, "logits": 1, "points": 2 * self.points}
        return Part(
            self.name,
            (TensorSpec("pixels", "uint8", (1, self.size, self.size, 3)),),
            tuple(TensorSpec(name, "float32", (1, self.anchors, count)) for name, count in numbers.items()),
            {},
            self._build,
        )

    def facts(self) -> Facts:
        """For `edgekit.tasks.common.vision.detector.Detector`."""
        return {
            "height": self.size,
            "width": self.size,
            "resize": {"letterbox": True, "filter": "bilinear"},
            "labels": [self.label],
            "activation": "sigmoid",
            "threshold": 0.5,
            "overlap": 0.3,
        }

    def _build(self, checkpoint: Checkpoint) -> Any:
        from edgekit.models.mediapipe.networks import AnchorDetector, anchors, read

        shapes = ((1, self.anchors, 4 + 2 * self.points), (1, self.anchors, 1))
        network = read(checkpoint, self.file.name, (1, self.size, self.size, 3), shapes)
        return AnchorDetector(network, self.size, anchors(self.size, self.grids), signed=self.signed).eval()


@dataclass(frozen=True)
class Landmarks:
    """A network that finds the points of a thing in a square cut.

    Attributes:
        size: of the cut. outputs: shapes of all that it tells; the first two are kept, the points and the presence.
        names: of the points. links: pairs of them between which a line is drawn. work: of the part.
    """

    file: File
    size: int
    outputs: tuple[tuple[int, ...], ...]
    names: Sequence[str]
    links: Sequence[tuple[int, int]]
    work: Work

    def part(self) -> Part:
        """See `edgekit.models.mediapipe.networks.Landmarks`."""
        return Part(
            "landmarks",
            (TensorSpec("crop", "uint8", (1, self.size, self.size, 3)),),
            (TensorSpec("places", "float32", (1, len(self.names), 2)), TensorSpec("presence", "float32", (1, 1))),
            {},
            self._build,
        )

    def _build(self, checkpoint: Checkpoint) -> Any:
        from edgekit.models.mediapipe.networks import Landmarks as Module
        from edgekit.models.mediapipe.networks import read

        network = read(checkpoint, self.file.name, (1, self.size, self.size, 3), self.outputs)
        network.keep((0, 1))
        return Module(network, self.size, len(self.names)).eval()


def keypoints(name: str, detector: Detector, landmarks: Landmarks, region: Facts, most: int) -> Member:
    """A member that detects things and finds their points.

    Args:
        region: see `edgekit.tasks.keypoint_detection.pipeline.region`. most: things of a picture.
    """
    works = (detector.work, landmarks.work)
    return Member(
        name=name,
        task="keypoint-detection",
        files=(detector.file, landmarks.file),
        parts=(detector.part(), landmarks.part()),
        works=works,
        facts={
            "detector": detector.facts(),
            "region": region,
            "size": landmarks.size,
            "presence": 0.5,
            "most": most,
            "names": list(landmarks.names),
            "links": [list(link) for link in landmarks.links],
            "labels": [detector.label],
        },
        evaluation=Evaluation("pck", worst=0.5, drop=0.02, minimum=100),
        parameters=sum(work.weights + work.channels for work in works),
        reference=20_000,
        labels=(detector.label,),
    )
