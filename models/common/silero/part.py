"""The declaration of Silero VAD's graph, its weights and the facts that `Listener` needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgekit.core import Axis, Checkpoint, Facts, Part, TensorSpec
from edgekit.models.common.own import package_source
from edgekit.models.common.silero.shapes import CONTEXT, FRAME, HIDDEN

#: Package-data file with the licence of the weights.
LICENCE = "data/licences/silero-licence.txt"
#: The weights.
SOURCE = package_source(
    "pypi://silero-vad@6.2.3/silero_vad/data/silero_vad_16k.safetensors",
    "c59271c284ae9c8335d795d60e0bfdb71aaaceec578d9bd9ffc1b8153c319ea1",
    1_239_748,
    "MIT",
)
_STATES = {name: TensorSpec(name, "float32", (1, HIDDEN)) for name in "hc"}
_AFTER = {name: TensorSpec(f"{name}_after", "float32", (1, HIDDEN)) for name in _STATES}
#: See `edgekit.tasks.voice_activity_detection.Listener`.
FACTS: Facts = {"hop": FRAME, "context": CONTEXT, "states": {name: after.name for name, after in _AFTER.items()}}


def build(checkpoint: Checkpoint, frames: int = 1) -> Any:
    """The network as a module, for so many frames a call. Raises BadInput for other weights."""
    from edgekit.models.common.silero.network import network

    return network(checkpoint.tensors, frames)


def detector(name: str, build: Callable[[Checkpoint], Any], *, quantize: bool = True, frames: int = 1) -> Part:
    """The graph as a part: ``audio`` float32 [1, 576] and the states -> ``probability`` [1, 1] and the next states.

    `frames`: how many it takes a call at most; if several, they are the first axis of audio and probability.
    """
    rows: int | str = 1 if frames == 1 else "rows"
    return Part(
        name,
        (TensorSpec("audio", "float32", (rows, CONTEXT + FRAME)), *_STATES.values()),
        (TensorSpec("probability", "float32", (rows, 1)), *_AFTER.values()),
        {} if frames == 1 else {"rows": Axis(1, frames, 9)},
        build,
        quantize,
    )
