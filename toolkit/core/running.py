"""Types of running: a loaded part, and a whole model from a raw sample to an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgekit.core.values import Facts, Feeds, TensorSpec
from edgekit.errors import Unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Runner(ABC):
    """A loaded part. Calls take and return arrays by name; the runtime checks the inputs.

    Attributes:
        stateful: whether it keeps state between calls (a streaming network), which `reset` forgets.
        unable: why no call can be made on this machine, as a clause; "" where calls can be made. Such a file was opened
            and its structure read, and nothing more is known of it (fidelity "structural"): a call raises Unsupported.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    stateful: bool = False
    unable: str = ""

    @abstractmethod
    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]: ...

    def reset(self) -> None:  # noqa: B027  most have none
        """Clear all state."""


@dataclass(frozen=True)
class Prediction:
    """The result of a pipeline for an input.

    Attributes:
        output: the answer itself (for speech recognition: the text).
        details: JSON-able facts about it (language, segments, fallbacks taken, warnings).
        units: amounts of work done, for rates: ``{"audio_seconds": 5.1, "tokens": 23}``.
        marks: seconds from the call to events inside it: ``{"first_token": 0.08}``.
        score: the value for metrics and `Usage.operate` in place of `output`, if the answer itself is too coarse (a
            ranking, a similarity).
    """

    output: Any
    details: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    score: Any = None

    @property
    def metric_input(self) -> Any:
        """The value that a metric compares with the truth."""
        return self.output if self.score is None else self.score


@dataclass(frozen=True)
class Heard:
    """What a chunk of a stream changed.

    Attributes:
        text: words that are final since the last chunk; they never change. words: the same with their times, a list of
            ``word``, ``start``, ``end`` (seconds from the begin of the stream) and ``probability``.
        pending: what may come next, as far as it is known; it may change.
        notes: what the listener should know (a gap, a device that is too slow).
    """

    text: str = ""
    words: Sequence[Facts] = ()
    pending: str = ""
    notes: Sequence[str] = ()


class Stream(ABC):
    """A sound that is answered while it comes. It is not thread-safe; chunks come in order."""

    @abstractmethod
    def feed(self, chunk: Any) -> Heard:
        """Take the next samples, of any number, and tell what is new. Returns at once while there are few.

        Args:
            chunk: [samples] or [samples, channels] at the stream's rate: floats in [-1, 1], or whole numbers that use
                the range of their dtype (uint8, int16, int32).

        Raises:
            BadInput: another shape or dtype, or values that are not numbers; the stream goes on without that chunk.
        """

    @abstractmethod
    def end(self) -> Prediction:
        """The answer to the whole sound; the stream takes no more."""


class Predictor(ABC):
    """A whole model, from a raw sample to an answer.

    Attributes:
        streams: whether `predict` takes the option ``stream``, called with each piece of the answer's text.
    """

    streams: bool = False

    @abstractmethod
    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The answer to a sample.

        Args:
            options: ``progress``, called with (done, total) in any unit while a long sample is worked on; the others
                are the pipeline's own.
        """

    def together(self, samples: Sequence[Any], **options: Any) -> Prediction | None:
        """The joint answer for samples that are compared with each other (two voices); None: each has its own."""
        return None

    def stream(self, **options: Any) -> Any:
        """Answers for sound that comes in pieces, by `feed`: of speech recognition a `Stream`, of wake words events.

        Args:
            options: as for `predict`; ``rate`` of the sound in Hz, where it may be another than the model's.

        Raises:
            Unsupported: the model takes whole inputs only.
        """
        raise Unsupported(
            f"{type(self).__name__} takes whole inputs only.", hint="Give a file: edgekit run BUNDLE FILE"
        )

    def next_tokens(self, sample: Any, answer: Any) -> NDArray[Any] | None:
        """Log-probabilities (nats) of every next token, float [positions, vocabulary], where another prediction's
        `answer` to the sample is forced upon the network; of what gives a token for every moment of a sound, those of
        its moments. None: answers are no sequences of tokens, or this sample is too long for it."""
        return None

    def probe(self, sample: Any) -> Prediction:
        """A short answer in which every part is called, for parity. Overridden if the whole answer is long or made in
        another way (a token at a time)."""
        return self.predict(sample)
