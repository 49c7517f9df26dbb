"""Whisper tiny, multilingual, 37.8 M parameters (Radford et al. 2022)."""

from __future__ import annotations

from edgekit.models.whisper.family import openai, whisper
from edgekit.models.whisper.shapes import Shape

MODEL = whisper(
    "whisper-tiny",
    Shape(width=384, heads=6, encoder_layers=4, decoder_layers=4),
    (openai("tiny", "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9"),),
)
