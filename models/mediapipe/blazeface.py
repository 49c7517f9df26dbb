"""BlazeFace, short range: faces within two metres of a phone, with six points each (Bazarevsky et al. 2019,
arXiv:1907.05047). 128 x 128, 0.1 M parameters.

MediaPipe averages the boxes that overlap; here the best of them stays (plain non-maximum suppression).
"""

from __future__ import annotations

from edgekit.core import Evaluation, Work
from edgekit.models.mediapipe.family import File, Member, declare_model
from edgekit.models.mediapipe.pipeline import Detector

_DETECTOR = Detector(
    "network",
    File(
        "face_detection/face_detection_short_range",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        229_714,
    ),
    size=128,
    grids=((8, 2), (16, 6)),
    points=6,
    signed=True,
    label="face",
    work=Work(
        "network",
        "convolution",
        macs=30_760_960,
        weights=99_202,
        channels=2_188,
        tables=1_792,
        layers=37,
        activations=1_310_720,
        small=18_178,
    ),
)
MODEL = declare_model(
    Member(
        name="blazeface",
        task="object-detection",
        files=(_DETECTOR.file,),
        parts=(_DETECTOR.part(),),
        works=(_DETECTOR.work,),
        facts=_DETECTOR.facts(),
        evaluation=Evaluation("map@0.5", worst=0.3, drop=0.03, minimum=200, also=("map",)),
        parameters=101_390,
        reference=39_000,
        labels=(_DETECTOR.label,),
    )
)
