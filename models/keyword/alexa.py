"""microWakeWord's "Alexa" (Ahrendt 2024)."""

from __future__ import annotations

from edgekit.models.keyword.chips import wakeword_model
from edgekit.models.keyword.phones import ready_wakeword_model

MODEL = ready_wakeword_model(
    wakeword_model(
        "alexa",
        "alexa.tflite",
        "9011a8155b04de858c48038529235cbc0e42e9fca05a55bf588cb80a653a723b",
        55_856,
        cutoff=0.9,
        parameters=24_481,
        flash={"plain": 42_816, "dsp": 46_424, "helium": 43_416},
        ram={"plain": 9_920, "dsp": 9_936, "helium": 10_012},
    )
)
