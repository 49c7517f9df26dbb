"""Pictures of Fashion-MNIST that travel with edgekit: 100 training pictures, then 100 test pictures."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.common import package_data
from edgekit.common.lazy import np
from edgekit.core import Sample
from edgekit.models.fashion.shapes import LABELS

_FILE = "fashion/pictures.npz"


def samples() -> Sequence[Sample]:
    """The pictures as uint8 [28, 28, 3], with their labels."""
    with package_data.stream_of(_FILE).open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        grey, labels = arrays["grey"], arrays["labels"]
    colours = np.repeat(grey[..., None], 3, 3)
    half = len(grey) // 2
    names = [f"{'training' if i < half else 'test'}-{i % half + 1:03}" for i in range(len(grey))]
    return [Sample(colours[i], LABELS[int(labels[i])], names[i]) for i in range(len(grey))]


def noises(count: int, shape: tuple[int, ...]) -> Sequence[Sample]:
    """So much noise, each for a picture: what a diffusion network takes, of the seeds from 0 on."""
    from edgekit.tasks.unconditional_image_generation.noises import sample_noise

    return [Sample(sample_noise(seed, (1, *shape)), None, f"seed-{seed:03}") for seed in range(count)]
