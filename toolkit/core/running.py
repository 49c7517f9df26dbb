"""The nouns of running: one loaded part, and a whole model from a raw sample to an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgekit.core.values import Feeds, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Prediction", "Predictor", "Runner"]


class Runner(ABC):
    """A loaded part. Calls take and give arrays by name; inputs are checked by the runtime.

    Attributes:
        stateful: whether it keeps state between calls (a streaming network), which `reset` forgets.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    stateful: bool = False

    @abstractmethod
    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]: ...

    def reset(self) -> None:  # noqa: B027  most have none
        """Forget all state."""


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


class Predictor(ABC):
    """A whole model, from a raw sample to an answer.

    Attributes:
        streams: whether `predict` takes the option ``stream``, called with each piece of the answer's text.
    """

    streams: bool = False

    @abstractmethod
    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The answer to one sample.

        Args:
            options: ``progress``, called with (done, total) in any unit while a long sample is worked on; the others
                are the pipeline's own.
        """

    def together(self, samples: Sequence[Any], **options: Any) -> Prediction | None:
        """One answer for samples that say something only side by side (two voices); None: each has its own."""
        return None

    def probe(self, sample: Any) -> Prediction:
        """A short answer in which every part is called: what parity looks at, of a sample whose whole answer is long or
        made otherwise (a token at a time)."""
        return self.predict(sample)
