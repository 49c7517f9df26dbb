"""Whisper: speech to text. Every checkpoint of the architecture is declared by its settings."""

from edgekit.core import Family
from edgekit.models.whisper.family import USAGE
from edgekit.models.whisper.members import member

FAMILY = Family(("WhisperForConditionalGeneration",), USAGE, member)
