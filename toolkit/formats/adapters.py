"""LoRA adapters in PEFT's form, merged into the safetensors of a Hugging Face folder (Hu et al. 2021, "LoRA").

W' = W + scale B A, with scale = alpha / r, or alpha / sqrt(r) for rank-stabilized adapters (Kalajdzievski 2023).
Computed in float32 and rounded to the base's dtype, in a copy of the base's files: a single matrix is in memory.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.common.documents import parse_json, read_table
from edgekit.common.files import hash_file
from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput, Unsupported
from edgekit.formats.checkpoint import read_checkpoint

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"
#: Settings of PEFT that change the formula, and their values that do not.
_PLAIN: Mapping[str, tuple[Any, ...]] = {
    "use_dora": (None, False),
    "bias": (None, "none"),
    "modules_to_save": (None, []),
    "alora_invocation_tokens": (None, []),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
}
#: Also no alpha is NaN.
_MOST_ALPHA = 1e9
_DTYPES = {"F16": "<f2", "F32": "<f4", "BF16": "<u2"}


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter.

    Attributes:
        name: with the first digits of its sha256. base: the model that it says it was made for; "" if it does not.
        pairs: name of a weight -> A float [r, in] and B float [out, r]. scale: of B A.
    """

    name: str
    base: str
    pairs: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]
    scale: float


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter's folder.

    Raises:
        BadInput: not an adapter of PEFT, or a damaged one. Unsupported: it does more than add products of two matrices.
    """
    if not ((folder / _CONFIG).is_file() and (folder / _WEIGHTS).is_file()):
        raise BadInput(
            f"{folder} holds no adapter: {_CONFIG} and {_WEIGHTS}, as PEFT writes them.",
            hint="--adapter takes a folder.",
        )
    config = _settings(folder / _CONFIG)
    rank, alpha = (config.get(name) for name in ("r", "lora_alpha"))
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise BadInput(f"{_CONFIG} of {folder.name} says r = {rank!r}; it is a whole number from 1 on.")
    if not isinstance(alpha, (int, float)) or not abs(alpha) < _MOST_ALPHA:
        raise BadInput(f"{_CONFIG} of {folder.name} says lora_alpha = {alpha!r}.")
    halves: dict[str, dict[str, NDArray[Any]]] = {_A: {}, _B: {}}
    for name, array in read_checkpoint(folder / _WEIGHTS).tensors.items():
        half = next((half for half in halves if name.endswith(half)), None)
        if half is None or not name.startswith(_PREFIX):
            raise Unsupported(f"the adapter {folder.name} holds {name}, which is no matrix of a plain LoRA.")
        halves[half][f"{name[len(_PREFIX) : -len(half)]}.weight"] = array
    if not halves[_A] or halves[_A].keys() != halves[_B].keys():
        raise BadInput(f"the adapter {folder.name} is not whole: matrices A and B do not come in pairs.")
    pairs = {name: (array, halves[_B][name]) for name, array in halves[_A].items()}
    for name, (a, b) in pairs.items():
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != rank or b.shape[1] != rank:
            raise BadInput(
                f"the adapter {folder.name} has {name} of shapes {a.shape} and {b.shape}; its rank is {rank}."
            )
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    digest = hash_file(folder / _WEIGHTS)[:16]
    return Adapter(f"{folder.name} (sha256 {digest})", str(config.get("base_model_name_or_path") or ""), pairs, scale)


def _settings(file: Path) -> Mapping[str, Any]:
    config = read_table(file)
    if config.get("peft_type") != "LORA":
        raise Unsupported(f"{file} describes no LoRA adapter; other kinds are not merged.")
    for name, values in _PLAIN.items():
        if config.get(name) not in values:
            raise Unsupported(
                f"the adapter {file.parent.name} has {name} = {config[name]!r}, which is not merged here."
            )
    return config


def merge_adapter(base: Path, adapter: Adapter, out: Path) -> None:
    """Write the base's Hugging Face folder with the adapter in its weights into the empty folder `out`.

    Raises:
        BadInput: the base is no folder with safetensors, or the adapter is for another base.
    """
    if not base.is_dir() or read_checkpoint(base).format != "safetensors":
        raise BadInput(
            f"an adapter is merged into a Hugging Face folder with safetensors, and {base.name} is none.",
            hint="Give the adapter's base: --weights FOLDER",
        )
    for file in base.iterdir():
        if file.is_file():
            shutil.copyfile(file, out / file.name)
    left = dict(adapter.pairs)
    for file in sorted(out.glob("*.safetensors")):
        _merge_file(file, adapter, left)
    if left:
        raise _other(adapter, f"it changes {min(left)}, which {base.name} does not have")


def _merge_file(file: Path, adapter: Adapter, left: dict[str, tuple[NDArray[Any], NDArray[Any]]]) -> None:
    """Change the weights of a file in place, and take them from `left`."""
    data = np.memmap(file, dtype=np.uint8, mode="r+")  # sound: the checkpoint's reader has looked at its header
    length = int.from_bytes(data[:8].tobytes(), "little")
    header = parse_json(data[8 : 8 + length].tobytes(), f"the header of {file.name}")
    for name in [name for name in header if name in left]:
        entry, (a, b) = header[name], left.pop(name)
        if [b.shape[0], a.shape[1]] != entry["shape"] or entry["dtype"] not in _DTYPES:
            shape = f"{entry['dtype']} {entry['shape']}"
            raise _other(adapter, f"its {name} is [{b.shape[0]}, {a.shape[1]}], and the base's is {shape}")
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        stored = data[begin:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
        change = adapter.scale * (b.astype(np.float32) @ a.astype(np.float32))
        if entry["dtype"] == "BF16":
            stored[...] = _to_bfloat16((stored.astype(np.uint32) << 16).view(np.float32) + change)
        else:
            stored[...] = (stored.astype(np.float32) + change).astype(stored.dtype)
    data.flush()


def _to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper halves, rounded to nearest, halves to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _other(adapter: Adapter, why: str) -> BadInput:
    made = f" It says that it was made for {adapter.base!r}." if adapter.base else ""
    return BadInput(
        f"the adapter {adapter.name} is for another base: {why}.{made}", hint="Give its base: --weights FOLDER"
    )
