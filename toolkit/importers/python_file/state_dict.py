"""In the child: the weights that ``build()`` names beside its module, read without unpickling code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from edgekit.common.lazy import torch
from edgekit.errors import BadInput


def load_weights(network: Any, file: Path, label: str) -> None:
    """Put the tensors of a .safetensors, or of a state dict that torch saved, into `network`.

    Raises:
        BadInput: there is no such file, it holds no tensors by names, or not those of the network.
    """
    if not file.is_file():
        raise BadInput(f"{label}: build() names the weights {str(file)!r}, and there is no such file.")
    try:
        held = _read_state_dict(file)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as exc:
        raise BadInput(
            f"{label}: {file.name}, which build() names, holds no tensors that can be read without running code.",
            hint="Save the tensors alone: torch.save(network.state_dict(), FILE), or as .safetensors.",
        ) from exc
    if not isinstance(held, dict):
        raise BadInput(f"{label}: {file.name} holds {type(held).__name__}, not tensors by their names.")
    wanted = network.state_dict()
    inner = [name for name, value in held.items() if isinstance(value, dict) and wanted.keys() <= value.keys()]
    if inner and not wanted.keys() <= held.keys():
        raise BadInput(
            f"{label}: {file.name} holds the tensors of the network under {inner[0]!r}, beside other things.",
            hint=f"Save these alone: torch.save(torch.load(FILE)[{inner[0]!r}], FILE).",
        )
    missing, other = wanted.keys() - held.keys(), held.keys() - wanted.keys()
    shapes = [name for name in wanted.keys() & held.keys() if wanted[name].shape != held[name].shape]
    for what, names in (("lacks", missing), ("has, unlike the network,", other), ("has in another shape", shapes)):
        if names:
            few = ", ".join(sorted(map(str, names))[:5])
            raise BadInput(f"{label}: {file.name} {what} {few}{', ...' if len(names) > 5 else ''}.")
    network.load_state_dict(held)


def _read_state_dict(file: Path) -> Any:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)

    return torch.load(file, map_location="cpu", weights_only=True)
