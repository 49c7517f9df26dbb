"""Whisper small, multilingual, 241.7 M parameters (Radford et al. 2022)."""

from __future__ import annotations

from edgekit.models.whisper.family import openai, whisper
from edgekit.models.whisper.shapes import Shape

MODEL = whisper(
    "whisper-small",
    Shape(width=768, heads=12, encoder_layers=12, decoder_layers=12),
    (openai("small", "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794"),),
)
