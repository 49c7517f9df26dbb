"""A reference module as a runner."""

from __future__ import annotations

from typing import Any

from edgekit.common.lazy import NDArray, np, torch
from edgekit.core import Feeds, Part, Runner
from edgekit.errors import CannotRun
from edgekit.runtimes.common.feeds import first_line


def reference_of(part: Part, built: Any) -> Runner:
    """What `Part.build` gave, as a runner: a torch module is wrapped, a runner is one already."""
    return built if isinstance(built, Runner) else TorchRunner(part, built)


class TorchRunner(Runner):
    """A reference module as a runner: numpy in, numpy out, fp32, no gradients.

    A frontend runs on one thread: it is small and called often, and threads would wait for one another.
    """

    def __init__(self, part: Part, module: Any) -> None:
        self.inputs, self.outputs = part.inputs, part.outputs
        self._module, self._small = module.eval(), not part.quantize

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1 if self._small else threads)
        try:
            with torch.inference_mode():
                out = self._module(*(torch.from_numpy(np.asarray(feeds[spec.name], order="C")) for spec in self.inputs))
        except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as exc:
            sizes = ", ".join(f"{name} {list(value.shape)}" for name, value in feeds.items())
            reason = first_line(exc)[:300]
            raise CannotRun(f"the network cannot be run in float with {sizes}: {reason}") from exc
        finally:
            torch.set_num_threads(threads)
        values = out if isinstance(out, tuple) else (out,)
        # Contiguous: the next part, such as a decoder in every step, would copy a view each time that it reads it.
        return {spec.name: value.contiguous().numpy() for spec, value in zip(self.outputs, values, strict=True)}
