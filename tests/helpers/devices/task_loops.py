"""A loop of an app and the task's Python over the same parts, which answer by a function and remember what they saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from helpers.devices.jvm import Peer
from numpy.typing import NDArray

from edgekit import registry
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Feeds, Prediction, Runner, TensorSpec
from edgekit.targets.common.apps import App, apps

Start = Callable[[Path, dict[str, Runner]], Peer]
Work = Callable[[Feeds], dict[str, NDArray[Any]]]
Shapes = Mapping[str, tuple[str, Sequence[int | str]]]


class Watched(Runner):
    """A part made of a function, that keeps its inputs."""

    def __init__(self, work: Work, inputs: Shapes, outputs: Shapes) -> None:
        self.inputs = tuple(TensorSpec(name, dtype, tuple(shape)) for name, (dtype, shape) in inputs.items())
        self.outputs = tuple(TensorSpec(name, dtype, tuple(shape)) for name, (dtype, shape) in outputs.items())
        self.work, self.seen = work, list[Feeds]()

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self.seen.append({name: np.array(value) for name, value in feeds.items()})
        return self.work(feeds)


class Pair:
    """The loop of a task in an app's language, and its Python."""

    def __init__(
        self, folder: Path, start: Start, task: str, parts: dict[str, Watched], facts: Mapping[str, Any]
    ) -> None:
        self.task, self.parts = task, parts
        listed = [
            {
                "name": name,
                "file": name,
                "inputs": [asdict(spec) for spec in part.inputs],
                "outputs": [asdict(spec) for spec in part.outputs],
            }
            for name, part in parts.items()
        ]
        said = {"model": "toy", "family": "toy", "precision": "fp32", "answer": "", "parts": listed}
        said["limits"] = dict.fromkeys(parts, 0.1)
        (folder / "model.json").write_text(json.dumps({**said, "facts": facts}))
        make = registry.find("tasks", task).predictor
        assert make is not None
        self.python = make(dict(parts), folder, facts)
        self.peer = start(folder, dict(parts))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: Any) -> None:
        self.peer.__exit__()

    def both(self, sample: Any, handed: Mapping[str, Any], **options: Any) -> tuple[Prediction, dict[str, Any]]:
        """Python's answer and the loop's."""
        expected = self.python.predict(sample, **options)
        answer = self.peer.ask(task=self.task, **handed)
        assert "error" not in answer, answer["error"]
        assert int(answer["open"][0]) == 0, "a loop that ends keeps no memory of the runtime"
        return expected, answer

    def refused(self, **handed: Any) -> str:
        """What the loop says of bad input."""
        return str(self.peer.ask(task=self.task, **handed)["error"])

    def fed(self, part: str, name: str) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """What the part was handed by Python and by the loop, call by call; forgotten then."""
        seen = self.parts[part].seen
        half = len(seen) // 2
        pairs = [(one[name], other[name]) for one, other in zip(seen[:half], seen[half:], strict=True)]
        seen.clear()
        return pairs


def declared(bundle: Path) -> App:
    """What apps get for a bundle."""
    manifest = open_bundle(bundle).manifest
    (app,) = (app for app in apps() if app.task == manifest.model.task and not app.lacking(manifest))
    return app


def self_tested(peer: Peer, bundle: Path) -> dict[str, Any]:
    """The golden input by the loop of a bundle's task, in Java; in Swift by the class that an app sees."""
    app = declared(bundle)
    return peer.ask(self_test=app.api, loop=app.loop)
