"""The pipeline of diffusion: noise in, a few steps of a network, pictures out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekit.common.files import replacing
from edgekit.common.lazy import Floats, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput, need
from edgekit.tasks.unconditional_image_generation.noises import noise_of

#: Pixels of a picture's side on the sheet at least, and of the gap between two.
_LEAST, _GAP = 96, 4


def sheet(pictures: Any) -> Any:
    """Pictures uint8 [N, height, width, channels] (1: grey, 3: RGB) in rows, enlarged: a PIL image in mode RGB."""
    with need("run", "Drawing"):
        from PIL import Image
    arrays = np.asarray(pictures, np.uint8)
    count, high, wide, channels = arrays.shape
    times = max(1, -(-_LEAST // min(high, wide)))
    across = int(np.ceil(np.sqrt(count)))
    size = (wide * times + _GAP, high * times + _GAP)
    whole = Image.new("RGB", (across * size[0] + _GAP, -(-count // across) * size[1] + _GAP), "white")
    for number, array in enumerate(arrays):
        image = Image.fromarray(array.repeat(3, 2) if channels == 1 else array)
        image = image.resize((wide * times, high * times), Image.Resampling.NEAREST)
        whole.paste(image, (_GAP + number % across * size[0], _GAP + number // across * size[1]))
    return whole


def write(pictures: Any, out: str) -> Path:
    """The sheet as a .png file. Raises BadInput for another ending."""
    place = Path(out)
    if place.suffix.lower() != ".png":
        raise BadInput(f"{out!r} is no .png file.", hint="Write for example: --out sheet.png")
    with replacing(place) as fresh:
        sheet(pictures).save(fresh, format="PNG")
    return place


#: Pictures that a seed makes without the option ``count``, and at most.
_COUNT, _MOST = 16, 1024
#: Side of the picture that stands for its features where no part makes them.
_COARSE = 7


class Painter(Predictor):
    """Pictures by the deterministic steps of Song et al. 2021 (arXiv:2010.02502) for a network that answers with the
    velocity of Salimans and Ho 2022 (arXiv:2202.00512).

    Parts: ``network``: ``noisy`` float32 [1, C, H, W] and ``angle`` float32 [1] -> ``velocity``, as ``noisy``; perhaps
    ``features``: ``picture`` float32 [1, C, H, W], -1 black and 1 white -> ``features``, by which answers are compared.

    `facts`: ``angles``, in radians, one a step, the noisiest first; ``turn``, the angle of a step.
    """

    def __init__(self, parts: Mapping[str, Runner], facts: Facts) -> None:
        self._network, self._judge = parts["network"], parts.get("features")
        self._shape = tuple(int(size) for size in self._network.inputs[0].shape[1:])
        self._angles = fact_of(facts, "angles", list[float])
        turn = fact_of(facts, "turn", float)
        self._keep, self._move = np.float32(np.cos(turn)), np.float32(np.sin(turn))

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Pictures of noise; in the details ``pictures``, uint8 [N][H][W][C], and ``features`` of each.

        Args:
            sample: a seed or noise (`edgekit.tasks.unconditional_image_generation.noises.noise_of`).
            count: option, the pictures of a seed. out: option, a .png file for a sheet of them.

        Raises:
            BadInput: the sample cannot be used, or an option is unknown.
        """
        count, progress = _count(options), options.get("progress")
        noise = noise_of(sample, self._shape, count)
        values = np.concatenate(
            [self._denoise_picture(piece, i, len(noise), progress) for i, piece in enumerate(noise)]
        )
        pictures = ((values.transpose(0, 2, 3, 1) + 1.0) * 127.5 + 0.5).astype(np.uint8)
        lines = [f"{len(pictures)} pictures of {self._shape[1]} x {self._shape[2]}, {len(self._angles)} steps each"]
        if out := options.get("out"):
            lines.append(f"written: {write(pictures, str(out))}")
        features = [self._features(value[None]).tolist() for value in values]
        details = {"pictures": pictures.tolist(), "features": features, "lines": lines}
        return Prediction(f"{len(pictures)} pictures", details, {"images": float(len(pictures))})

    def probe(self, sample: Any) -> Prediction:
        """For parity every part on fixed inputs: a step's rounding moves all steps after it, and pictures are compared
        by their features. The network sees a black picture in the sample's noise at each angle."""
        noise = noise_of(sample, self._shape, 1)
        for piece in noise:
            for angle in self._angles:
                noisy = (np.sin(angle) * piece[None] - np.cos(angle)).astype(np.float32)
                self._network({"noisy": noisy, "angle": np.array([angle], np.float32)})
            self._features(np.clip(piece[None], -1.0, 1.0))
        return Prediction(f"{len(noise)} pictures")

    def _denoise_picture(
        self, noise: Floats, number: int, count: int, progress: Callable[[int, int], None] | None
    ) -> Floats:
        """A picture of -1 to 1, float32 [1, C, H, W]."""
        x: Floats = noise[None]
        for angle in self._angles:
            velocity = self._network({"noisy": x, "angle": np.array([angle], np.float32)})["velocity"]
            x = (self._keep * x - self._move * velocity).astype(np.float32)
        if progress:
            progress(number + 1, count)
        picture: Floats = np.clip(x, -1.0, 1.0)
        return picture

    def _features(self, picture: Floats) -> Floats:
        """float32 [numbers], of the part that makes them, or the picture itself at 7 x 7."""
        if self._judge is not None:
            made: Floats = self._judge({"picture": picture})["features"][0]
            return made
        rows, columns = (np.array_split(np.arange(size), _COARSE) for size in self._shape[1:])
        means = [picture[0][:, row][:, :, column].mean((1, 2)) for row in rows for column in columns]
        return np.concatenate(means).astype(np.float32)


def _count(options: Mapping[str, object]) -> int:
    check_names(options, ("count", "out"))
    count = options.get("count", _COUNT)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST:
        raise BadInput(f"count is a number of pictures of 1 to {_MOST}, not {count!r}.")
    return count
