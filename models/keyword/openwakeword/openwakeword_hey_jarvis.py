"""openWakeWord's "Hey Jarvis" (Scripka 2023), as pyopen-wakeword distributes it; quantized here."""

from __future__ import annotations

from edgekit.models.keyword.openwakeword.family import openwakeword_model

MODEL = openwakeword_model(
    "hey-jarvis",
    "hey_jarvis.tflite",
    "14bff778604985e1b5c19f0f7bbe477a69cf281d8db34b232b3b972411f710e2",
    1_278_912,
    parameters=644_962,
)
