"""In the child: inputs that a stream's last call gave, which the examples need not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from edgekit.common.lazy import NDArray, np, torch
from edgekit.errors import BadInput
from edgekit.importers.python_file.outputs import named_outputs

#: What the output is called that is the next call's input of this name.
_NEXT = "{}_out"


class States:
    """The file's ``states = {"h": (1, 128)}``: inputs that begin as zeros and go on as the outputs ``h_out``.

    Raises:
        BadInput: it is no table of shapes.
    """

    def __init__(self, module: ModuleType, network: Any, label: str) -> None:
        self._network, self._label = network, label
        declared = vars(module).get("states", {})
        try:
            self._held: dict[str, NDArray[Any]] = {
                str(name): np.zeros([int(size) for size in shape], np.float32) for name, shape in declared.items()
            }
        except (AttributeError, TypeError, ValueError) as exc:
            raise BadInput(
                f"states in {label} is no table of names and shapes.", hint='Such as: states = {"h": (1, 128)}'
            ) from exc

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._held)

    def add_states(self, sample: Mapping[str, NDArray[Any]], order: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The sample with the states of its call, in the order of forward; then the network is called with it.

        Raises:
            BadInput: the network gives no next state, or of another shape.
        """
        whole = {**self._held, **sample}
        if not self._held:
            return whole
        places = {name: i for i, name in enumerate(order)}
        whole = dict(sorted(whole.items(), key=lambda pair: places.get(pair[0], len(places))))
        self._next(whole)
        return whole

    def _next(self, sample: Mapping[str, NDArray[Any]]) -> None:
        with torch.no_grad():
            result = self._network(**{name: torch.from_numpy(array.copy()) for name, array in sample.items()})
        outputs = named_outputs(result, self._label)
        for name, before in self._held.items():
            after = outputs.get(_NEXT.format(name))
            if after is None or tuple(after.shape) != before.shape:
                had = ", ".join(f"{key} {list(tensor.shape)}" for key, tensor in outputs.items())
                raise BadInput(
                    f"{self._label}: the state {name!r} {list(before.shape)} has no output {_NEXT.format(name)!r} of "
                    f"its shape; forward() gives {had}.",
                    hint=f'Return a dict: {{"answer": ..., "{_NEXT.format(name)}": ...}}',
                )
            self._held[name] = after.float().numpy()
