"""microWakeWord's "Okay Nabu" (Ahrendt 2024)."""

from __future__ import annotations

from edgekit.models.keyword.chips import wakeword_model
from edgekit.models.keyword.phones import ready_wakeword_model

MODEL = ready_wakeword_model(
    wakeword_model(
        "okay-nabu",
        "okay_nabu.tflite",
        "d89128c4d16a72de429119fb2254ce46649553c2a24f5dd840175c80d7b9d094",
        80_824,
        cutoff=0.85,
        parameters=37_185,
        flash={"plain": 58_728, "dsp": 62_312, "helium": 60_736},
        ram={"plain": 9_792, "dsp": 9_808, "helium": 10_352},
    )
)
