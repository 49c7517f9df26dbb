"""ds-cnn-kws: MLPerf Tiny's reference for keyword spotting, ten words of Speech Commands (Banbury et al. 2021)."""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.models._keyword import keyword_model

_REVISION = "5b2315b3583ea7832617a9e64c4b52cca4699ee4"
_FOLDER = "benchmark/training/keyword_spotting/trained_models"


def _source(piece: str) -> Source:
    sha256 = "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae"
    return Source(piece, _REVISION, "Apache-2.0", (SourceFile("network.tflite", sha256, 53936, (piece,)),))


MODEL = keyword_model(
    "ds-cnn-kws",
    ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"),
    (
        _source("../shared/models/mlperf-tiny/kws_ref_int8.tflite"),
        _source(f"https://raw.githubusercontent.com/mlcommons/tiny/{_REVISION}/{_FOLDER}/kws_ref_model.tflite"),
    ),
    parameters=22_604,
    flash=50_000,
    ram=14_500,
)
