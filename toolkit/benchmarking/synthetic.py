"""Synthetic inputs: noise in the form of a real input, for users without real inputs. Always labelled.

What a model computes on noise can cost less or more than on real inputs (speech ends early, photos compress, caches
hit), and its answers mean nothing. So a report says of each input whether it was noise, warns, and `compare` refuses
to set it beside real ones. The same input gives the same noise, byte for byte.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from edgekit.common.files import cache_folder, hash_file, write_whole
from edgekit.common.images import picture_file
from edgekit.common.lazy import Image, np, soundfile
from edgekit.core import Facts, is_synthetic
from edgekit.errors import BadInput, Unsupported, need

_SEED = 0
_SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def like(real: Path) -> Path:
    """A file of noise in the form of `real`: the same number of samples and rate, of pixels, of letters.

    Returns:
        Its path in the cache.

    Raises:
        Unsupported: no noise is defined for that kind of file. BadInput: `real` cannot be read as its suffix
            says. MissingExtra: a library that reads it is not installed.
    """
    suffix = real.suffix.lower()
    kinds = {".npy": _array, ".txt": _text} | dict.fromkeys(_SOUNDS, _sound) | dict.fromkeys(_PICTURES, _picture)
    if suffix not in kinds:
        raise Unsupported(
            f"there is no noise in the form of {real.name}.",
            hint=f"Give inputs with --input; noise is known for: {', '.join(kinds)}",
        )
    ending = ".wav" if suffix in _SOUNDS else ".png" if suffix in _PICTURES else suffix
    place = _folder() / f"noise-like-{real.stem}-{hash_file(real)[:12]}{ending}"
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        with need("run", "Making synthetic inputs"):
            try:
                content = kinds[suffix](real)
            except (OSError, ValueError, RuntimeError) as exc:
                raise BadInput(f"{real.name} cannot be read: {exc}.") from exc
        write_whole(place, content)
    return place


def describe_input(file: Path) -> dict[str, str]:
    """An input for a report: name, sha256, and for a file of `like` the kind of noise."""
    known = {"name": file.name, "sha256": hash_file(file)}
    if file.absolute().parent == _folder().absolute():
        known["synthetic"] = f"noise, seed {_SEED}"
    return known


def warnings(inputs: Sequence[Facts]) -> list[str]:
    """The warnings of a report with these inputs."""
    if not is_synthetic(inputs):
        return []
    return ["SYNTHETIC INPUTS: noise in the form of the golden input; on real inputs times may differ."]


def _folder() -> Path:
    return cache_folder() / "synthetic"


def _sound(real: Path) -> bytes:
    """White noise, 20 dB below full scale, as 16-bit WAV."""
    facts = soundfile.info(str(real))
    noise = np.random.default_rng(_SEED).normal(0.0, 0.1, (facts.frames, facts.channels)).clip(-1.0, 1.0)
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, facts.samplerate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def _picture(real: Path) -> bytes:
    """Every channel of every pixel by itself, as PNG."""
    with picture_file(real) as picture:
        wide, high = picture.size
    noise = np.random.default_rng(_SEED).integers(0, 256, (high, wide, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def _array(real: Path) -> bytes:
    """Normal noise with the mean and the spread of the real values, in their dtype and shape."""
    values = np.load(real, allow_pickle=False)
    noise = np.random.default_rng(_SEED).normal(values.mean(), values.std(), values.shape)
    if values.dtype.kind in "iub":
        noise = noise.round().clip(values.min(), values.max())
    buffer = io.BytesIO()
    np.save(buffer, noise.astype(values.dtype))
    return buffer.getvalue()


def _text(real: Path) -> bytes:
    """Letters and digits in place of letters and digits; the rest as it was."""
    import random

    rng = random.Random(_SEED)
    alphabets = {letter: group for group in ("abcdefghijklmnopqrstuvwxyz", "0123456789") for letter in group}
    content = real.read_text(encoding="utf-8")
    drawn = (rng.choice(alphabets[letter]) if letter in alphabets else letter for letter in content.lower())
    return "".join(drawn).encode()
