"""A streaming network of speech activity: it takes samples in pieces, and keeps its state between them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Runner, fact_of

#: Frames in a row that a network gets at most, if it takes several.
_AT_ONCE = 256


class Listener:
    """Gives a probability of speech for every frame, as soon as its samples are there.

    The answers do not depend on where the sound was cut. A frame is `hop` samples; the network sees the `context`
    samples before it, too. Its states are inputs that begin as zeros, and go on as outputs of the last call.

    Args:
        network: inputs ``audio`` float32 [N, context + hop] in [-1, 1] and the states; outputs ``probability`` [N, 1]
            and the next states. N is 1, or any number of frames in a row where the axis is dynamic.
        facts: ``hop``, ``context`` (samples), ``states`` (input -> the output that is its next value).
    """

    def __init__(self, network: Runner, facts: Facts) -> None:
        self._network = network
        self.hop, self._context = fact_of(facts, "hop", int), fact_of(facts, "context", int)
        self._next = fact_of(facts, "states", dict[str, str])
        states = [spec for spec in network.inputs if spec.name in self._next]
        self._shapes = {spec.name: tuple(int(size) for size in spec.shape) for spec in states}
        several = any(isinstance(spec.shape[0], str) for spec in network.inputs if spec.name == "audio")
        self._most = _AT_ONCE if several else 1
        self.reset()

    @contextlib.contextmanager
    def frame_by_frame(self) -> Iterator[None]:
        """Within it a call takes a single frame, as in apps, whose self-test compares call by call."""
        most, self._most = self._most, 1
        try:
            yield
        finally:
            self._most = most

    def reset(self) -> None:
        """Begin a new sound."""
        self._held = np.zeros(self._context, np.float32)
        self._states = {name: np.zeros(shape, np.float32) for name, shape in self._shapes.items()}

    def push(self, samples: NDArray[np.float32]) -> Iterator[float]:
        """The probabilities of the frames that `samples` (float32 [n], in [-1, 1]) complete."""
        from numpy.lib.stride_tricks import sliding_window_view

        held = np.concatenate([self._held, samples])
        frames = max(0, (len(held) - self._context) // self.hop)
        for first in range(0, frames, self._most):
            after = min(first + self._most, frames) * self.hop
            block = held[first * self.hop : after + self._context]
            self._held = held[after:]  # what a caller that stops here goes on with
            yield from self._probabilities(sliding_window_view(block, self._context + self.hop)[:: self.hop])
        self._held = held[frames * self.hop :].copy()

    def finish(self) -> Iterator[float]:
        """The probability of the last frame, filled with zeros; nothing if no samples are left."""
        left = len(self._held) - self._context
        if left:
            yield from self.push(np.zeros(self.hop - left, np.float32))

    def _probabilities(self, windows: NDArray[np.float32]) -> list[float]:
        made = self._network({"audio": windows.copy(), **self._states})
        self._states = {name: made[after] for name, after in self._next.items()}
        probabilities: list[float] = made["probability"].reshape(-1).tolist()
        return probabilities
