"""A context and the tokens that it holds: what a call needs is compared with them, and only the rest is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.runtimes.llama_cpp.context import Context


class Cache:
    """The keys and values of a conversation. Empty, without memory, until `reserve`."""

    def __init__(self) -> None:
        self._context: Context | None = None
        self._held: list[int] = []

    @property
    def context(self) -> Context:
        """The context; only after `reserve`."""
        assert self._context is not None, "a context is reserved first"
        return self._context

    def reserve(self, make: Callable[..., Context], room: int, kind: str, outputs: int) -> Context:
        """Have a context of `room` tokens or more, with keys and values of the type `kind`, and logits of `outputs`
        positions; an earlier one that will do is taken, with what it holds.

        Args:
            make: (tokens, outputs=, cache=) -> a new context. Raises what it raises.
        """
        held = None if self._context is None else self._context.settings
        if held is None or held.context < room or held.cache != kind or held.outputs < outputs:
            self.clear()
            self._context = make(room, outputs=outputs, cache=kind)
        return self.context

    def read(self, prompt: Sequence[int]) -> bool:
        """Have the context hold `prompt` and nothing else, with the logits of its last token; False where it was
        stopped."""
        common = 0
        for old, new in zip(self._held, prompt[:-1], strict=False):  # the last is computed anew: its logits are wanted
            if old != new:
                break
            common += 1
        kept, batch = self.keep(common), self.context.settings.batch
        return all(self.step(prompt[start : start + batch]) for start in range(kept, len(prompt), batch))

    def step(self, tokens: Sequence[int], outputs: int = 1) -> bool:
        """Add tokens, with the logits of the last `outputs`; False where it was stopped, and nothing is held."""
        done = self.context.decode(tokens, outputs=outputs)
        if done:
            self._held.extend(tokens)
        else:
            self._held.clear()
        return done

    def begins_with(self, tokens: Sequence[int]) -> bool:
        """Whether the first tokens that are held are these."""
        return self._held[: len(tokens)] == list(tokens)

    def state(self) -> bytes:
        """See `edgekit.runtimes.llama_cpp.context.Context.state`."""
        return self.context.state()

    def restore(self, state: bytes, tokens: Sequence[int]) -> bool:
        """Hold `tokens`, whose keys and values are in `state`; False, and nothing is held, if it cannot be used."""
        done = self.context.restore(state, len(tokens))
        self._held = list(tokens) if done else []
        return done

    def keep(self, count: int) -> int:
        """Forget all but the first `count` tokens; returns how many are left: 0 where a part cannot be forgotten."""
        kept = self.context.keep(count)
        del self._held[kept:]
        return kept

    def forget(self) -> None:
        """Forget all tokens; the room for them stays."""
        self._held = []
        if self._context is not None:
            self._context.clear()

    def clear(self) -> None:
        """Forget all tokens, and give the memory back."""
        if self._context is not None:
            self._context.close()
        self._context, self._held = None, []
