"""In the child: build the network by its own code, trace it with torch.export, and write the graph and its samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.common.lazy import torch
from edgekit.core import Facts, TensorSpec
from edgekit.errors import BadInput, need
from edgekit.importers.common import stored
from edgekit.importers.common.foreign import traced
from edgekit.importers.common.foreign.child import begin, stage
from edgekit.importers.common.stored import SAMPLES, noise


def trace(arguments: Mapping[str, Any], scratch: Path) -> Facts:
    """Trace the network in ``arguments["folder"]`` on inputs of fixed sizes into `scratch`.

    Raises:
        BadInput: its config names no class, or the network gives no tensor.
    """
    with need("hub", "Building a Hugging Face model"):
        import torch
        import transformers
    begin()
    folder = arguments["folder"]
    stage("building the network")
    settings = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=True, local_files_only=True)
    settings.use_cache = False
    kind = _kind(settings)
    network = getattr(transformers, kind).from_pretrained(
        folder,
        config=settings,
        trust_remote_code=True,
        local_files_only=True,
        use_safetensors=True,
        dtype=torch.float32,
    )
    specs = [TensorSpec(name, dtype, tuple(shape)) for name, dtype, shape in arguments["inputs"]]
    words = {spec.name: arguments["words"] for spec in specs if spec.name == "input_ids"}
    samples = [noise(specs, {}, words, seed) for seed in range(SAMPLES)]
    for sample in samples:
        for name in sample:
            if "mask" in name:
                sample[name][:] = 1
    names = [spec.name for spec in specs]
    module = _wrap_network(network.eval().requires_grad_(False), names)
    stage("tracing of forward()")
    examples = tuple(torch.from_numpy(samples[0][name]) for name in names)
    with torch.no_grad():
        program = torch.export.export(module, examples)
    stage("saving")
    program.example_inputs = None  # a pickle, which nobody will open
    torch.export.save(program, scratch / traced.PROGRAM)
    entered = list(program.graph_signature.user_inputs)
    stored.keep(
        ({entered[i]: sample[name] for i, name in enumerate(names)} for sample in samples), scratch / traced.SAMPLES
    )
    return {}


def _kind(settings: Any) -> str:
    """The Auto class whose own code is the architecture that the config names."""
    named = getattr(settings, "architectures", None) or [""]
    own = {key: str(value) for key, value in dict(settings.auto_map).items() if key.startswith("AutoModel")}
    fitting = [key for key, value in own.items() if value.rpartition(".")[2] == named[0]]
    if len(fitting) != 1 and len(own) != 1:
        raise BadInput(
            f"auto_map of config.json names {', '.join(own) or 'no class'}, and architectures {named[0] or 'nothing'}.",
            hint="architectures must name the class of one of them.",
        )
    return str(fitting[0]) if len(fitting) == 1 else str(next(iter(own)))


def _wrap_network(network: Any, names: list[str]) -> Any:
    """The network with these inputs, in order, and every output that is a tensor."""

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *values: Any) -> Any:
            out = self.network(**dict(zip(names, values, strict=True)))
            tensors = out if isinstance(out, tuple | list) else out.values() if isinstance(out, dict) else (out,)
            return tuple(tensor for tensor in tensors if isinstance(tensor, torch.Tensor))

    return Plain()
