"""microWakeWord's "Hey Mycroft" (Ahrendt 2024)."""

from __future__ import annotations

from edgekit.models.keyword.chips import wakeword_model
from edgekit.models.keyword.phones import ready_wakeword_model

MODEL = ready_wakeword_model(
    wakeword_model(
        "hey-mycroft",
        "hey_mycroft.tflite",
        "c2a9b6ed51182db72e014781d5a4ece1929dc232a40b5b4be384f0295f0e1571",
        57_248,
        cutoff=0.95,
        parameters=25_121,
        flash={"plain": 43_456, "dsp": 49_000, "helium": 44_056},
        ram={"plain": 10_560, "dsp": 10_992, "helium": 10_644},
    )
)
