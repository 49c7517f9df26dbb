"""microWakeWord's "Hey Jarvis" (Ahrendt 2024)."""

from __future__ import annotations

from edgekit.models.keyword.chips import wakeword_model
from edgekit.models.keyword.phones import ready_wakeword_model

MODEL = ready_wakeword_model(
    wakeword_model(
        "hey-jarvis",
        "hey_jarvis.tflite",
        "21a7976add39ee24ec96c63d96b7aaa18e24d1d9824b963e451da8feb4b78b77",
        52_272,
        cutoff=0.97,
        parameters=22_111,
        flash={"plain": 40_184, "dsp": 43_824, "helium": 40_792},
        ram={"plain": 9_584, "dsp": 9_600, "helium": 9_676},
    )
)
