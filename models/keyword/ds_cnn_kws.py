"""ds-cnn-kws: MLPerf Tiny's reference for keyword spotting, ten words of Speech Commands (Banbury et al. 2021).

Chips get the int8 network that MLPerf published, laptops and phones one that is quantized here from the float weights.
"""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.models.keyword.chips import keyword_model
from edgekit.models.keyword.phones import float_keyword_model

_REVISION = "5b2315b3583ea7832617a9e64c4b52cca4699ee4"
_URL = (
    f"https://raw.githubusercontent.com/mlcommons/tiny/{_REVISION}/benchmark/training/keyword_spotting/trained_models"
)
_LOCAL = "../shared/models/mlperf-tiny"


def _source(piece: str, name: str, sha256: str, size: int) -> Source:
    return Source(piece, _REVISION, "Apache-2.0", (SourceFile(name, sha256, size, (piece,)),))


_INT8 = ("network.tflite", "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae", 53_936)
_KERAS = ("network.npz", "3af58d99b5b131948355a34d7f88ac3af1f2ea47739e94440d1e582ad7b6e85c", 114_504)
#: "Float" is its name; its convolutions are stored in 8 bits, and it is of another training. It serves where the Keras
#: weights are not at hand: 92.0 % on 300 recordings as well, 95 % of them decided alike.
_FLOAT = ("float.tflite", "e5004c6f1012246e33fa068d8488325538e0444073cd361f5a7edb40c73f12d2", 43_392)

MODEL = float_keyword_model(
    keyword_model(
        "ds-cnn-kws",
        ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"),
        (_source(f"{_LOCAL}/kws_ref_int8.tflite", *_INT8), _source(f"{_URL}/kws_ref_model.tflite", *_INT8)),
        parameters=22_604,
        flash={"plain": 41_208, "dsp": 43_256, "helium": 43_312},
        ram={"plain": 20_708, "dsp": 13_504, "helium": 22_112},
    ),
    sources=(
        _source(f"{_LOCAL}/kws_ref_float.npz", *_KERAS),
        _source(f"{_URL}/kws_ref_model_float32.tflite", *_FLOAT),
    ),
    golden="data/golden/golden-words.flac",
)
