"""What torchvision and timm call the weights of MobileNet v2 and v3-small, and a network filled with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from edgekit.common.lazy import NDArray
from edgekit.errors import BadInput
from edgekit.models.vision.networks.mobilenet import MobileNet
from edgekit.models.vision.shapes import V2, V3_SMALL, BlockShape, Shape

#: Of batch normalization: torchvision's v3 follows the paper's code; the others have torch's own.
_EPSILON = {("torchvision", "mobilenet-v3-small"): 1e-3}
_SHAPES = {"mobilenet-v2": V2, "mobilenet-v3-small": V3_SMALL}
_NORM = ("weight", "bias", "running_mean", "running_var")
#: Ours, torchvision's and timm's name of a layer.
Names = Iterator[tuple[str, str, str]]


def network(tensors: Mapping[str, NDArray[Any]], model: str) -> MobileNet:
    """The network `model` with the weights of a state dict of torchvision or timm.

    Raises:
        BadInput: neither's names, or a tensor that is absent, of another shape or not of floats.
    """
    if "features.0.0.weight" in tensors:
        layout = 1
    elif "conv_stem.weight" in tensors:
        layout = 2
    else:
        raise BadInput(
            f"these are not the weights of {model} as torchvision or timm names them.",
            hint="Expected: features.0.0.weight, ... (torchvision) or conv_stem.weight, ... (timm).",
        )
    source = ("torchvision", "timm")[layout - 1]
    module = MobileNet(_SHAPES[model], _EPSILON.get((source, model), 1e-5))
    names = {entry[0]: entry[layout] for entry in _names(_SHAPES[model])}
    wanted = {name: value for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    state = {name: _tensor(tensors, names[name], value, model) for name, value in wanted.items()}
    left = {name for name in tensors if not name.endswith("num_batches_tracked")} - set(names.values())
    if left:
        raise BadInput(f"the weights hold {min(left)!r}, which {model} does not have; is it another network?")
    module.load_state_dict(state, strict=False)
    return module.eval()


def _tensor(tensors: Mapping[str, NDArray[Any]], name: str, wanted: torch.Tensor, model: str) -> torch.Tensor:
    array = tensors.get(name)
    if array is None:
        raise BadInput(f"the weights lack {name!r}, which {model} has.")
    # timm's layer behind the mean is a convolution of one position.
    shape = array.shape[:2] if array.ndim == 4 and wanted.ndim == 2 and array.shape[2:] == (1, 1) else array.shape
    if tuple(shape) != tuple(wanted.shape) or array.dtype.kind != "f":
        have = f"{array.dtype} {list(array.shape)}"
        raise BadInput(f"the weights {name!r} are {have}; {model} has floats {list(wanted.shape)} there.")
    return torch.from_numpy(array.astype("float32").reshape(shape))


def _names(shape: Shape) -> Names:
    third = bool(shape.hidden)
    yield from _conv_norm_names("stem", "features.0.0", "features.0.1", "conv_stem", "bn1")
    number = 0
    for i, stage in enumerate(shape.stages):
        for j, block in enumerate(stage):
            yield from _block(block, f"blocks.{number}", f"features.{number + 1}", f"blocks.{i}.{j}", third)
            number += 1
    last = f"features.{number + 1}"
    if third:
        timm = f"blocks.{len(shape.stages)}.0"
        yield from _conv_norm_names("head", f"{last}.0", f"{last}.1", f"{timm}.conv", f"{timm}.bn1")
        yield from _plain("hidden.0", "classifier.0", "conv_head")
        yield from _plain("classifier", "classifier.3", "classifier")
    else:
        yield from _conv_norm_names("head", f"{last}.0", f"{last}.1", "conv_head", "bn2")
        yield from _plain("classifier", "classifier.1", "classifier")


def _block(block: BlockShape, own: str, vision: str, timm: str, third: bool) -> Names:
    expands = block.wide != block.inputs
    # torchvision counts what a block has; v3 also pairs the projection with its normalization.
    inner, step = f"{vision}.block" if third else f"{vision}.conv", 0
    norm = 1
    if expands:
        yield from _conv_norm_names(f"{own}.expand", f"{inner}.0.0", f"{inner}.0.1", f"{timm}.conv_pw", f"{timm}.bn1")
        step, norm = 1, 2
    yield from _conv_norm_names(
        f"{own}.depthwise", f"{inner}.{step}.0", f"{inner}.{step}.1", f"{timm}.conv_dw", f"{timm}.bn{norm}"
    )
    step += 1
    if block.squeeze:
        yield from _plain(f"{own}.excite.reduce", f"{inner}.{step}.fc1", f"{timm}.se.conv_reduce")
        yield from _plain(f"{own}.excite.expand", f"{inner}.{step}.fc2", f"{timm}.se.conv_expand")
        step += 1
    pair = (f"{inner}.{step}.0", f"{inner}.{step}.1") if third else (f"{inner}.{step}", f"{inner}.{step + 1}")
    last = "conv_pwl" if expands else "conv_pw"
    yield from _conv_norm_names(f"{own}.project", *pair, f"{timm}.{last}", f"{timm}.bn{norm + 1}")


def _conv_norm_names(own: str, conv: str, norm: str, timm: str, timm_norm: str) -> Names:
    yield f"{own}.conv.weight", f"{conv}.weight", f"{timm}.weight"
    for name in _NORM:
        yield f"{own}.norm.{name}", f"{norm}.{name}", f"{timm_norm}.{name}"


def _plain(own: str, vision: str, timm: str) -> Names:
    for name in ("weight", "bias"):
        yield f"{own}.{name}", f"{vision}.{name}", f"{timm}.{name}"
