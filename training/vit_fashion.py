"""Train vit-fashion: a small vision transformer on the 60,000 training pictures of Fashion-MNIST. Some minutes.

    python training/vit_fashion.py FOLDER [--out FILE] [--samples FOLDER]

FOLDER holds the files of Debian's package dataset-fashion-mnist; `make train` fetches it. The accuracy on the 10,000
test pictures is measured on the weights as the file holds them. ``--samples`` writes these pictures as a data folder
for ``edgekit export vit-fashion --data``.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fashion import alone, batches, pictures, rate, stored, written
from numpy.typing import NDArray
from torch import Tensor

from edgekit.models.fashion.vit import Classifier, classifier, fuse_norms

_EPOCHS, _BATCH, _RATE, _DECAY, _SEED = 6, 128, 2e-3, 0.05, 1


def varied(grey: Tensor) -> Tensor:
    """The pictures [N, 1, 28, 28], half of them mirrored."""
    mirrored = torch.rand(len(grey)) < 0.5
    return torch.where(mirrored[:, None, None, None], grey.flip(3), grey)


def train(grey: NDArray[np.uint8], labels: NDArray[np.int64]) -> Classifier:
    """The network, trained."""
    network = Classifier(norms=True).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    inputs, truths = torch.from_numpy(grey.copy())[:, None], torch.from_numpy(labels)
    begun, due = time.monotonic(), 0.0
    for share, at in batches(len(grey), _BATCH, _EPOCHS, _SEED):
        for group in optimizer.param_groups:
            group["lr"] = rate(share, _RATE)
        logits = network.logits(varied(inputs[at].float() / 255.0))
        loss = F.cross_entropy(logits, truths[at], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if share >= due:
            print(f"{share:4.0%} {time.monotonic() - begun:5.0f} s, loss {loss.item():.3f}", flush=True)
            due += 0.1
    return fuse_norms(network.eval())


def accuracy(network: Classifier, grey: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """The share of pictures whose label is right."""
    with torch.inference_mode():
        pieces = torch.from_numpy(grey.copy())[:, None].float().div(255.0).split(500)
        best = torch.cat([network.logits(piece).argmax(1) for piece in pieces])
    return float((best.numpy() == labels).mean())


def write_samples(grey: NDArray[np.uint8], labels: NDArray[np.int64], folder: Path) -> None:
    """The pictures as ``labels.csv`` and ``images/``."""
    from PIL import Image

    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "class_index"))
        for number, (picture, label) in enumerate(zip(grey, labels, strict=True)):
            name = f"{number:05}.png"
            Image.fromarray(picture).convert("RGB").save(folder / "images" / name)
            table.writerow((name, int(label)))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/train/vit-fashion.safetensors"))
    parser.add_argument("--samples", type=Path)
    arguments = parser.parse_args()
    begun = time.monotonic()
    judged = pictures(arguments.folder, "t10k")
    if arguments.samples:
        write_samples(*judged, arguments.samples)
    alone(_SEED)
    tensors = written(stored(train(*pictures(arguments.folder, "train"))), arguments.out, begun)
    print(f"vit-fashion: {accuracy(classifier(tensors), *judged):.2%} of 10,000 test pictures are right")


if __name__ == "__main__":
    main()
