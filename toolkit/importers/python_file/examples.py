"""In the child: what `examples()` yields, as arrays by the names of forward's arguments, every one checked."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

from edgekit.common.lazy import NDArray, np, torch
from edgekit.errors import BadInput
from edgekit.importers.common.foreign.child import stage
from edgekit.importers.common.foreign.user_file import optional
from edgekit.importers.common.stored import SAMPLES
from edgekit.importers.python_file.outputs import named_outputs

Arrays: TypeAlias = "dict[str, NDArray[Any]]"

#: Evidence is 16 to 64 samples.
MOST = 64
_DTYPES = ("float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


class Examples(NamedTuple):
    """Samples by the names of forward's arguments, in the order of its call; whether they are noise; and notes."""

    samples: Sequence[Arrays]
    synthetic: bool
    preprocessed: bool
    notes: Sequence[str]


def collect_examples(module: ModuleType, network: Any, label: str, *, wide: bool = False) -> Examples:
    """The first `MOST` examples of the file.

    Args:
        wide: the network was of another precision and is float32 now, so half-precision inputs are as well.

    Raises:
        BadInput: there are none, or they are no arrays, empty, not numbers, or of changing names, ranks or dtypes.
    """
    stage("examples()")
    examples, ready = vars(module).get("examples"), optional(module, "get_args")
    if examples is None and ready is None:
        raise BadInput(
            f"{label} has no examples(): the shapes of the inputs are not known.",
            hint="`edgekit init mine.py` writes a file that has it; yield 16 or more real inputs.",
        )
    preprocess = optional(module, "preprocess")
    names, open_ended = _parameters(network)
    notes: dict[str, None] = {}
    samples: list[Arrays] = []
    raw = _raw(examples, label) if examples is not None else [ready()] if ready else []
    carried = States(module, network, label)
    own = [name for name in names if name not in carried.names]
    for i, item in enumerate(raw):
        if preprocess is not None:
            stage("preprocess()")
            item = preprocess(item)
            stage("examples()")
        where = f"{label}: example {i}"
        sample = {
            name: _array(value, f"{where}, {name!r}", notes, wide)
            for name, value in _bind_arguments(item, own, open_ended, where)
        }
        sample = carried.add_states(sample, names)
        _check_same(sample, samples, where)
        samples.append(sample)
    if not samples:
        raise BadInput(f"{label}: examples() yields nothing.", hint="Yield 16 or more real inputs.")
    if examples is None:
        samples = [_shuffle_values(samples[0], seed) for seed in range(SAMPLES)]
    return Examples(samples, examples is None, preprocess is not None, list(notes))


def _raw(examples: Any, label: str) -> Iterable[Any]:
    """What the function yields, or what the list, or the array, holds."""
    try:
        return itertools.islice(iter(examples() if callable(examples) else examples), MOST)
    except TypeError as exc:
        raise BadInput(
            f"examples in {label} is no function and no list, but {type(examples).__name__}.",
            hint="Yield 16 or more real inputs.",
        ) from exc


def _parameters(network: Any) -> tuple[list[str], bool]:
    """Names of forward's arguments, and whether it takes any number of them."""
    kinds = inspect.Parameter
    parameters = inspect.signature(network.forward).parameters.values()
    named = [p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    return named, any(p.kind is kinds.VAR_POSITIONAL for p in parameters)


def _bind_arguments(item: Any, names: Sequence[str], open_ended: bool, where: str) -> list[tuple[str, Any]]:
    """The arguments of a call by name."""
    if isinstance(item, Mapping):
        order = {name: i for i, name in enumerate(names)}
        return sorted(((str(name), value) for name, value in item.items()), key=lambda pair: order.get(pair[0], 99))
    values = list(item) if isinstance(item, tuple | list) else [item]
    more = [f"input_{i}" for i in range(len(names), len(values))] if open_ended else []
    if len(values) > len(names) + len(more):
        raise BadInput(f"{where} has {len(values)} arrays; forward takes {', '.join(names) or 'nothing'}.")
    return list(zip([*names, *more], values, strict=False))


def _array(value: Any, where: str, notes: dict[str, None], wide: bool) -> NDArray[Any]:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()  # numpy has no bfloat16
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise BadInput(f"{where} is no array, but {type(value).__name__}.", hint="Yield numpy arrays or torch tensors.")
    if value.dtype == np.float64 or (wide and value.dtype == np.float16):
        notes[f"examples in {value.dtype} are used as float32"] = None
        value = value.astype(np.float32)
    if value.dtype.name not in _DTYPES:
        raise BadInput(f"{where} is of the dtype {value.dtype}.", hint=f"Dtypes: {', '.join(_DTYPES)}.")
    if not value.size:
        raise BadInput(f"{where} is empty: {list(value.shape)}.")
    if value.dtype.kind == "f" and np.isnan(value).any():
        raise BadInput(f"{where} holds values that are not numbers (NaN).")
    return np.ascontiguousarray(value) if value.ndim else value


def _check_same(sample: Arrays, earlier: Sequence[Arrays], where: str) -> None:
    """Raise BadInput where a sample differs from the first in more than the lengths of its axes."""
    if not earlier:
        return
    first = earlier[0]
    if sample.keys() != first.keys():
        raise BadInput(f"{where} has the inputs {', '.join(sample)}; example 0 has {', '.join(first)}.")
    for name, array in sample.items():
        if array.ndim != first[name].ndim:
            raise BadInput(
                f"{where}: {name!r} has {array.ndim} axes, {list(array.shape)}; in example 0 it has "
                f"{first[name].ndim}, {list(first[name].shape)}.",
                hint="The lengths of axes may change, their number may not.",
            )
        if array.dtype != first[name].dtype:
            raise BadInput(f"{where}: {name!r} is {array.dtype}; in example 0 it is {first[name].dtype}.")


def _shuffle_values(sample: Arrays, seed: int) -> Arrays:
    """Noise with the values of a sample in another order."""
    random: np.random.Generator = np.random.default_rng(seed)
    return {
        name: random.permutation(array.reshape(-1)).reshape(array.shape) if seed else array
        for name, array in sample.items()
    }


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
