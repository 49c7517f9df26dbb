"""What the training scripts share: Fashion-MNIST as Debian packages it, one thread, fixed seeds, weights as a file."""

from __future__ import annotations

import gzip
import hashlib
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

#: Half of the package: pictures and labels of either set, as the package names them.
_FILES = {"train": 60_000, "t10k": 10_000}
_SIDE = 28


def alone(seed: int) -> None:
    """One thread, fixed seeds, no kernel that adds in another order each time: the same weights on the same machine."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def pictures(folder: Path, which: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures uint8 [N, 28, 28] and labels int64 [N] of ``"train"`` or ``"t10k"``.

    Args:
        folder: with the files of the package ``dataset-fashion-mnist``, compressed as they come.
    """
    count = _FILES[which]
    images = gzip.decompress((folder / f"{which}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{which}-labels-idx1-ubyte.gz").read_bytes())
    if struct.unpack(">4I", images[:16]) != (2051, count, _SIDE, _SIDE) or struct.unpack(">2I", labels[:8])[1] != count:
        raise SystemExit(f"{folder} does not hold the {count} pictures of {which}: see `make train`.")
    grey = np.frombuffer(images, np.uint8, offset=16).reshape(count, _SIDE, _SIDE)
    return grey, np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


def batches(count: int, size: int, epochs: int, seed: int) -> Iterator[tuple[float, Tensor]]:
    """The share of the training that is over, and indices of the next batch, in another order each epoch."""
    order = torch.Generator().manual_seed(seed)
    steps = count // size
    for epoch in range(epochs):
        mixed = torch.randperm(count, generator=order)
        for step in range(steps):
            yield (epoch * steps + step) / (epochs * steps), mixed[step * size : (step + 1) * size]


def rate(share: float, most: float) -> float:
    """The learning rate: it rises for a tenth of the training and falls to nothing along a cosine."""
    rise = 0.1
    if share < rise:
        return most * (share / rise + 0.01)
    return float(most * (0.5 + 0.5 * np.cos(np.pi * (share - rise) / (1 - rise))))


def stored(network: nn.Module) -> dict[str, NDArray[np.float16]]:
    """The weights in half precision, as the file holds them."""
    # Weights in another order of memory (channels last) would be written in that order.
    return {
        name: np.ascontiguousarray(value.detach().numpy(), np.float16) for name, value in network.state_dict().items()
    }


def written(tensors: Mapping[str, NDArray[np.float16]], out: Path, begun: float) -> dict[str, NDArray[np.float16]]:
    """Write the weights, say what a declaration pins, the sha256 and the size of the file, and read them again."""
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), out)
    data = out.read_bytes()
    print(f"{out}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}, {time.monotonic() - begun:.0f} s")
    return dict(load_file(out))
