"""ds-cnn-kws: MLPerf Tiny's reference for keyword spotting, ten words of Speech Commands (Banbury et al. 2021).

Chips get the int8 network that MLPerf published; for laptops and phones the float weights are quantized here.
"""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.models.keyword.chips import keyword_model
from edgekit.models.keyword.phones import float_keyword_model

_REVISION = "5b2315b3583ea7832617a9e64c4b52cca4699ee4"
_URL = (
    f"https://raw.githubusercontent.com/mlcommons/tiny/{_REVISION}/benchmark/training/keyword_spotting/trained_models"
)


def _source(uri: str, *files: tuple[str, str, int, tuple[str, ...]]) -> Source:
    return Source(uri, _REVISION, "Apache-2.0", tuple(SourceFile(*file) for file in files))


_INT8 = f"{_URL}/kws_ref_model.tflite"
_VARIABLES = f"{_URL}/kws_ref_model/variables"
_SHARD = "variables.data-00000-of-00001"
#: The float weights, as published and as a .npz of the same numbers, which has no public address. MLPerf's "float32"
#: .tflite beside them is of another training: it is no source of this model.
_FLOAT = (
    _source(
        _VARIABLES,
        (
            "variables.index",
            "3f21dd9ea6736e20e70c5ed2f40ed9d8a7d12b98316ac0e4ab8f4eb7e303d738",
            9_326,
            (f"{_VARIABLES}/variables.index",),
        ),
        (
            _SHARD,
            "5ebfddd34e85a2d35e87e27a8a803353534019bb460907b16db5fa72d757e8c5",
            321_307,
            (f"{_VARIABLES}/{_SHARD}",),
        ),
    ),
    _source(
        "mirror://kws_ref_float.npz",
        ("network.npz", "3af58d99b5b131948355a34d7f88ac3af1f2ea47739e94440d1e582ad7b6e85c", 114_504, ()),
    ),
)

MODEL = float_keyword_model(
    keyword_model(
        "ds-cnn-kws",
        ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"),
        (
            _source(
                _INT8,
                (
                    "network.tflite",
                    "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae",
                    53_936,
                    (_INT8,),
                ),
            ),
        ),
        parameters=22_604,
        flash={"plain": 41_208, "dsp": 43_256, "helium": 43_312},
        ram={"plain": 20_708, "dsp": 13_504, "helium": 22_112},
    ),
    sources=_FLOAT,
    golden="data/golden/golden-words.flac",
)
