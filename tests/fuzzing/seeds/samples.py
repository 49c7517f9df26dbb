"""A few samples of sound, pictures and tables, made on the spot: where a search by `search.py` begins."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["annotations", "lists_of_sounds", "pictures", "sounds", "structures", "tables", "waves"]


def sounds(folder: Path) -> Iterator[bytes]:
    """A few samples as WAV of several widths, FLAC, Ogg, MP3, AIFF and AU."""
    import soundfile

    tone = np.sin(np.arange(200) / 9).astype(np.float32)
    kinds = {
        "WAV": ("PCM_16", "PCM_U8", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM"),
        "WAVEX": ("PCM_16",),
        "RF64": ("PCM_16",),
    }
    kinds |= {
        "FLAC": ("PCM_16",),
        "OGG": ("VORBIS", "OPUS"),
        "MP3": ("MPEG_LAYER_III",),
        "AIFF": ("PCM_16",),
        "AU": ("PCM_16",),
    }
    for form, subtypes in kinds.items():
        for subtype in subtypes:
            rate, channels = (16_000, 1) if subtype != "PCM_24" else (44_100, 2)
            buffer = io.BytesIO()
            soundfile.write(buffer, np.stack([tone] * channels, 1), rate, subtype, format=form)
            yield buffer.getvalue()


def waves(folder: Path) -> Iterator[bytes]:
    """WAV files alone, and samples without a header."""
    return (
        content
        for content in sounds(folder)
        if content[:4] == b"RIFF" and content[34] in (8, 16, 32) and content[20] in (1, 3)
    )


def pictures(folder: Path) -> Iterator[bytes]:
    """Eight pixels by six in every kind that is read, and in unusual modes."""
    from PIL import Image

    image = Image.fromarray(np.arange(144, dtype=np.uint8).reshape(6, 8, 3))
    forms = (
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "I;16"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
    )
    for form, mode in (
        *forms,
        ("BMP", "RGB"),
        ("WEBP", "RGB"),
        ("PPM", "RGB"),
        ("TIFF", "RGB"),
        ("TIFF", "F"),
        ("PNG", "1"),
    ):
        buffer = io.BytesIO()
        (image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)).save(buffer, form)
        yield buffer.getvalue()


def annotations(folder: Path) -> Iterator[bytes]:
    yield json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 6}],
            "categories": [{"id": 1, "name": "face"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "area": 16, "iscrowd": 0}],
        }
    ).encode()


def lists_of_sounds(folder: Path) -> Iterator[bytes]:
    yield b'{"audio": "input", "text": "hello", "language": "de"}\n\n{"audio": "input", "text": ""}\n'


def structures(folder: Path) -> Iterator[bytes]:
    """Two residues of a protein, and a model that is not read."""
    atoms = [
        f"ATOM  {4 * residue + i + 1:5}  {name:<3} {kind} A{residue + 1:4}    {i:8.3f}{residue:8.3f}{-i:8.3f}  1.00"
        for residue, kind in enumerate(("GLY", "MSE"))
        for i, name in enumerate(("N", "CA", "C", "O"))
    ]
    yield "\n".join(["HEADER    A SMALL PROTEIN", *atoms, "ENDMDL", *atoms, "END", ""]).encode()


def tables(folder: Path) -> Iterator[bytes]:
    yield b"1,2.5,-3e4\n4,5,6\n"
