"""Train ddpm-fashion: a small diffusion network on the 60,000 training pictures of Fashion-MNIST. Some minutes.

    python training/ddpm_fashion.py FOLDER [--out FILE] [--judge FILE]

FOLDER as for vit_fashion.py. FILE of ``--judge`` are vit-fashion's weights: by their features, 2,000 pictures of eight
steps are compared with as many test pictures (Frechet's distance, Heusel et al. 2017, arXiv:1706.08500), beside as many
training pictures, and beside pictures of noise.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fashion import alone, batches, pictures, rate, stored, written
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import Tensor

from edgekit.models.fashion.shapes import SIDE, STEPS
from edgekit.models.fashion.unet import Unet, fuse_norms, unet
from edgekit.models.fashion.vit import Features, features

_EPOCHS, _BATCH, _RATE, _SEED = 2, 64, 2e-3, 1
#: Pictures of each side that are compared.
_COMPARED = 2000


def train(grey: NDArray[np.uint8]) -> Unet:
    """The network, trained, its normalisations inside of its convolutions."""
    network = Unet(norms=True).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-4)
    inputs = torch.from_numpy(grey.copy())[:, None]
    begun, due = time.monotonic(), 0.0
    for share, at in batches(len(grey), _BATCH, _EPOCHS, _SEED):
        for group in optimizer.param_groups:
            group["lr"] = rate(share, _RATE)
        clean = inputs[at].float() / 127.5 - 1.0
        noise, angle = torch.randn_like(clean), torch.rand(len(at)) * (math.pi / 2)
        cosine, sine = angle.cos()[:, None, None, None], angle.sin()[:, None, None, None]
        noisy = (cosine * clean + sine * noise).to(memory_format=torch.channels_last)
        velocity = network(noisy, angle)
        loss = F.mse_loss(velocity, cosine * noise - sine * clean)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if share >= due:
            print(f"{share:4.0%} {time.monotonic() - begun:5.0f} s, loss {loss.item():.4f}", flush=True)
            due += 0.1
    return fuse_norms(network.eval())


def sampled(network: Unet, count: int) -> Tensor:
    """Pictures [count, 1, 28, 28] of -1 to 1, by the steps that an app takes."""
    x = torch.randn(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(_SEED))
    turn = math.pi / 2 / STEPS
    with torch.inference_mode():
        for step in range(STEPS, 0, -1):
            x = math.cos(turn) * x - math.sin(turn) * network(x, torch.full((count,), step * turn))
    return x.clamp(-1.0, 1.0)


def distance(judge: Features, some: Tensor, others: Tensor) -> float:
    """Frechet's distance of the features of two sets of pictures."""
    with torch.inference_mode():
        left, right = (judge(side).double() for side in (some, others))
    covariances = [side.T.cov() for side in (left, right)]
    shared = torch.linalg.eigvals(covariances[0] @ covariances[1]).real.clamp(min=0.0).sqrt().sum()
    spread = covariances[0].trace() + covariances[1].trace() - 2.0 * shared
    return float((left.mean(0) - right.mean(0)).square().sum() + spread)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/train/ddpm-fashion.safetensors"))
    parser.add_argument("--judge", type=Path, default=Path("build/train/vit-fashion.safetensors"))
    arguments = parser.parse_args()
    begun = time.monotonic()
    alone(_SEED)
    grey, _ = pictures(arguments.folder, "train")
    tensors = written(stored(train(grey)), arguments.out, begun)
    judge = features(load_file(arguments.judge))
    held, _ = pictures(arguments.folder, "t10k")
    test, training = (torch.from_numpy(side[:_COMPARED].copy())[:, None] / 127.5 - 1.0 for side in (held, grey))
    made, noise = sampled(unet(tensors), _COMPARED), torch.randn(_COMPARED, 1, SIDE, SIDE).clamp(-1.0, 1.0)
    figures = [f"{what} {distance(judge, side, test):.2f}" for what, side in (
        ("of ddpm-fashion", made), ("of training pictures", training), ("of noise", noise),
    )]  # fmt: skip
    print(f"ddpm-fashion: distance from {_COMPARED} test pictures {', '.join(figures)}")


if __name__ == "__main__":
    main()
