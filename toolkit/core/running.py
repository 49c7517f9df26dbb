"""The nouns of running: one loaded part, and a whole model from a raw sample to an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from edgekit.core.values import Feeds, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Prediction", "Predictor", "Runner"]


class Runner(Protocol):
    """A loaded part. Calls take and give arrays by name; inputs are checked by the runtime.

    One that keeps state between calls (a streaming network) also has ``reset()``, which forgets it.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]: ...


@dataclass(frozen=True)
class Prediction:
    """What a pipeline gives for one input.

    Attributes:
        output: the answer itself (for speech recognition: the text).
        details: JSON-able facts about it (language, segments, fallbacks taken, warnings).
        units: amounts of work done, for rates: ``{"audio_seconds": 5.1, "tokens": 23}``.
        marks: seconds from the call to events inside it: ``{"first_token": 0.08}``.
        score: what metrics and `Model.operate` see in place of `output`, where the answer itself tells too little (a
            ranking, a similarity).
    """

    output: Any
    details: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    score: Any = None

    @property
    def scored(self) -> Any:
        """What a metric compares with the truth."""
        return self.output if self.score is None else self.score


class Predictor(Protocol):
    """A whole model, from a raw sample to an answer.

    `predict` takes the option ``progress``, called with (done, total) in any unit while a long sample is worked on; the
    other options are the pipeline's own.

    One whose inputs say something only side by side (two voices) also has ``together(samples, **options)``, which gives
    one Prediction for all of them.
    """

    def predict(self, sample: Any, **options: Any) -> Prediction: ...
