"""How much of a model's weights each format knows by the names that they have in the source.

    python tests/peers/compare_identifiers.py [--models all-minilm-l6-v2 ...] [--formats onnx coreml ...] [--why]

Every model is exported in fp32 in every format that takes it. A cell is the share (of bytes) of the source's weights
that layers of the format's graph hold by an identifier; or the reason why there is no file. Of the source's weights
those count that a product multiplies: the reference runs on the golden input, and every matrix product, convolution
and recurrent layer says which parameters its weights come from. So biases, norms and tables that are only looked up do
not count, by what the network does with them and not by their names.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import edgekit
from edgekit.core import Feeds, Part
from edgekit.errors import EdgekitError
from edgekit.exporters.common.torch_export import weights_of
from edgekit.quantization.weights.identifiers import Converted, Identifiers
from edgekit.registry import find, names
from edgekit.runtimes.torch.runner import TorchRunner

#: Format -> the target and the runtime that it is exported for.
FORMATS = {
    "onnx": ("laptop", "onnxruntime"),
    "litert": ("android", "litert"),
    "executorch": ("android", "executorch"),
    "coreml": ("ios", "coreml"),
}
_aten = torch.ops.aten
#: What is left of products when torch has taken them apart -> the first argument that is a factor.
PRODUCTS = {
    _aten.mm.default: 0, _aten.bmm.default: 0, _aten.mv.default: 0, _aten.addmm.default: 1, _aten.addmv.default: 1,
    _aten.baddbmm.default: 1, _aten.convolution.default: 0, _aten.mkldnn_rnn_layer.default: 0,
}  # fmt: skip
#: Weights of a parametrization -> what is computed of them.
_COMPUTED = re.compile(r"\.parametrizations\.(\w+)\.original\d*$")
#: Cells below this tell what is absent.
_ENOUGH = 0.99
#: Bytes that a device has: whether a model in float fits one is not asked.
_ROOM = 1 << 40
#: Letters of a reason.
_SHORT = 90


class Multiplied(TorchDispatchMode):
    """Inside, `found` gets the names of the tensors of `module` that products multiply with what is computed."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.found = set[str]()
        self._alive = list[torch.Tensor]()  # a tensor's id is its own as long as it lives
        self._sources = dict[int, set[str]]()
        for path, holder in module.named_modules():
            for name, value in {**vars(holder), **holder._parameters, **holder._buffers}.items():
                if isinstance(value, torch.Tensor):
                    whole = f"{path}.{name}" if path else name
                    self._mark(value, {_COMPUTED.sub(r".\1", whole)})

    def _mark(self, value: torch.Tensor, sources: set[str]) -> None:
        self._alive.append(value)
        self._sources.setdefault(id(value), set()).update(sources)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:
            made = func.decompose(*args, **kwargs)
        if made is not NotImplemented:
            return made
        made = func(*args, **kwargs)
        tensors = [one for one in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        known = [self._sources.get(id(one), set()) for one in tensors]
        if tensors and all(known):  # computed of constants alone
            for one in torch.utils._pytree.tree_leaves(made):
                if isinstance(one, torch.Tensor):
                    self._mark(one, set().union(*known))
        elif func in PRODUCTS:
            limit = 2 if func is _aten.convolution.default else len(args)  # a bias is no factor
            for one in args[PRODUCTS[func] : limit]:
                self.found |= self._sources.get(id(one), set()) if isinstance(one, torch.Tensor) else set()
        return made


@dataclass
class Counted:
    """Of the parts of a model: parameter -> bytes, of those that are multiplied; and of those that layers hold."""

    multiplied: dict[Any, dict[str, int]] = field(default_factory=dict)
    held: dict[Any, Counter[str]] = field(default_factory=dict)
    strange: dict[str, int] = field(default_factory=dict)

    def missing(self) -> dict[str, int]:
        """Parameter -> bytes that no layer holds."""
        return {
            name: size - min(size, self.held.get(part, Counter())[name])
            for part, sizes in self.multiplied.items()
            for name, size in sizes.items()
        }


@contextmanager
def counting() -> Iterator[Counted]:
    """Inside, the reference says which weights it multiplies, and exporters which of them they know."""
    counted = Counted()
    modules, sources = dict[int, torch.nn.Module](), dict[int, Mapping[str, Any]]()
    begin, call, open_, name_ = TorchRunner.__init__, TorchRunner.__call__, Identifiers.__init__, Identifiers.names

    def key_of(weights: Mapping[str, Any]) -> Any:
        return tuple(sorted((name, array.shape) for name, array in weights.items()))

    def build(self: TorchRunner, part: Part, module: Any) -> None:
        begin(self, part, module)
        modules[id(self)] = module

    def run(self: TorchRunner, feeds: Feeds) -> Any:
        module = modules.pop(id(self), None)
        if module is None:
            return call(self, feeds)
        with Multiplied(module.eval()) as mode:
            made = call(self, feeds)
        weights = weights_of(module)
        sizes = {name: array.nbytes for name, array in weights.items() if name in mode.found}
        counted.multiplied[key_of(weights)] = sizes
        return made

    def open_source(self: Identifiers, weights: Mapping[str, Any]) -> None:
        open_(self, weights)
        sources[id(self)] = weights

    def names_of(self: Identifiers, layers: Mapping[str, Converted]) -> tuple[dict[str, str], dict[str, int]]:
        found, lost = name_(self, layers)
        weights = sources[id(self)]
        parameters = {name.removesuffix(".weight").removesuffix("_weight"): name for name in weights}
        held = Counter[str]()
        for own, name in found.items():
            if own in lost:
                continue
            base = name if name in parameters else name.rpartition(":")[0]
            if base in parameters:
                held[parameters[base]] += 4 * layers[own].weights.size
            for other in layers[own].others:
                name = next(iter(name_(self, {"other": Converted(other, layers[own].axis)})[0].values()))
                if name in parameters:
                    held[parameters[name]] += 4 * other.size
        counted.held[key_of(weights)] = held
        counted.strange |= {own: 4 * size for own, size in lost.items()}
        return found, lost

    with (
        mock.patch.object(TorchRunner, "__init__", build),
        mock.patch.object(TorchRunner, "__call__", run),
        mock.patch.object(Identifiers, "__init__", open_source),
        mock.patch.object(Identifiers, "names", names_of),
    ):
        yield counted


def share(model: str, target: str, runtime: str, *, why: bool) -> str:
    """A cell of the table."""
    with (
        TemporaryDirectory() as folder,
        mock.patch("edgekit.pipeline.artifacts.cache_folder", lambda: Path(folder)),  # no file of an earlier export
        counting() as counted,
    ):
        room = {} if target == "laptop" else {"ram": _ROOM, "download": _ROOM}
        edgekit.export(
            model,
            target,
            runtime=runtime,
            precision="fp32",
            evidence=False,
            fallback=False,
            out=Path(folder) / "made",
            **room,
        )
    whole = sum(size for sizes in counted.multiplied.values() for size in sizes.values())
    if not whole:
        return "the source's own names"
    missing = {name: size for name, size in counted.missing().items() if size}
    known = 1 - sum(missing.values()) / whole
    if known >= _ENOUGH and not why:
        return f"{known:.1%}".replace("100.0%", "100%")
    least = sorted(missing, key=lambda name: -missing[name])[: 8 if why else 1]
    more = [f"`{name}` {missing[name] / whole:.1%}" for name in least]
    if why and counted.strange:
        more.append(f"unknown: {', '.join(f'{name} {size / whole:.1%}' for name, size in counted.strange.items())}")
    return f"{known:.1%} (not {'; '.join(more)})" if more else f"{known:.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", help="default: all but language models, which are files of GGUF, and ready int8 files"
    )
    parser.add_argument("--formats", nargs="+", default=list(FORMATS))
    parser.add_argument("--why", action="store_true", help="all that is absent, and layers with weights of nobody")
    asked: Any = parser.parse_args()
    models = asked.models or [
        name
        for name, model in ((name, find("models", name)) for name in names("models"))
        if model.task.name != "text-generation"
        and not any(spec.dtype == "int8" for part in model.network.parts for spec in part.inputs)
    ]
    print(f"| model | {' | '.join(asked.formats)} |\n|{'---|' * (1 + len(asked.formats))}", flush=True)
    for model in models:
        cells = []
        for name in asked.formats:
            try:
                cells.append(share(model, *FORMATS[name], why=asked.why))
            except EdgekitError as exc:
                reason = exc.message.splitlines()[0].removeprefix(f"{model} on {FORMATS[name][0]}: ")
                cells.append(reason if asked.why else shorten(reason, _SHORT, placeholder=" ..."))
        print(f"| {model} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
