"""A streaming network of speech activity: it takes samples in pieces, and keeps its state between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgekit.core import Runner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Listener"]


class Listener:
    """Gives a probability of speech for every frame, as soon as its samples are there.

    The answers do not depend on where the sound was cut. A frame is `hop` samples; the network sees the `context`
    samples before it, too. Its states are inputs that begin as zeros, and go on as outputs of the last call.

    Args:
        network: inputs ``audio`` float32 [1, context + hop] in [-1, 1] and the states; outputs ``probability`` [1, 1]
            and the next states.
        facts: ``hop``, ``context`` (samples), ``states`` (input -> the output that is its next value).
    """

    def __init__(self, network: Runner, facts: Mapping[str, Any]) -> None:
        self._network = network
        self.hop, self._context = int(facts["hop"]), int(facts["context"])
        self._next = {str(name): str(after) for name, after in facts["states"].items()}
        states = [spec for spec in network.inputs if spec.name in self._next]
        self._shapes = {spec.name: tuple(int(size) for size in spec.shape) for spec in states}
        self.reset()

    def reset(self) -> None:
        """Begin a new sound."""
        import numpy as np

        self._held = np.zeros(self._context, np.float32)
        self._states = {name: np.zeros(shape, np.float32) for name, shape in self._shapes.items()}

    def push(self, samples: NDArray[np.float32]) -> Iterator[float]:
        """The probabilities of the frames that `samples` (float32 [n], in [-1, 1]) complete."""
        import numpy as np

        held = np.concatenate([self._held, samples])
        size, start = self._context + self.hop, 0
        while len(held) - start >= size:
            window = held[start : start + size]
            start += self.hop
            self._held = held[start:]  # what a caller that stops here goes on with
            yield self._probability(window)
        self._held = held[start:].copy()

    def finish(self) -> Iterator[float]:
        """The probability of the last frame, filled with zeros; nothing if no samples are left."""
        import numpy as np

        left = len(self._held) - self._context
        if left:
            yield from self.push(np.zeros(self.hop - left, np.float32))

    def _probability(self, window: NDArray[np.float32]) -> float:
        made = self._network({"audio": window[None], **self._states})
        self._states = {name: made[after] for name, after in self._next.items()}
        return float(made["probability"].reshape(-1)[0])
