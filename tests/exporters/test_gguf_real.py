"""SmolLM2-135M on WikiText-2 beside llama.cpp's own tools: perplexity, divergence, importance matrix.

The tools are those that `python -m edgekit.llama` builds with the library, so that both compute the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import absent

from edgekit import llama
from edgekit.core import Recipe
from edgekit.exporters._llama_importance import importance
from edgekit.exporters.gguf import EXPORTER


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def tools() -> Path:
    if not llama.built():
        absent(f"llama.cpp's tools are not here: {llama.BUILD}")
    return llama.folder() / "build" / "bin"


@pytest.fixture(scope="module")
def smollm2(tools: Path) -> Path:
    from edgekit.registry import find
    from edgekit.sources import fetch

    folder, source = fetch(find("models", "smollm2-135m").sources)
    return next(folder / file.name for file in source.files if file.name.endswith(".gguf"))


@pytest.fixture(scope="module")
def wikitext(shared_data: Path) -> Path:
    return shared_data / "wikitext-2" / "valid.txt"


def run(*command: Any) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.real
def test_perplexity_is_that_of_llama_perplexity(tools: Path, smollm2: Path, wikitext: Path) -> None:
    said = run(tools / "llama-perplexity", "-m", smollm2, "-f", wikitext, "-c", 512, "--chunks", 2, "-t", 2)
    theirs = re.search(r"PPL = ([\d.]+) \+/- ([\d.]+)", said)
    assert theirs
    ours = EXPORTER.load(smollm2, 2).score(wikitext.read_text(encoding="utf-8"), chunks=2)
    assert ours.perplexity == pytest.approx(float(theirs[1]), rel=1e-4)
    assert ours.perplexity_error == pytest.approx(float(theirs[2]), rel=1e-4)


@pytest.mark.slow
def test_divergence_is_that_of_llama_perplexity(tools: Path, smollm2: Path, wikitext: Path, tmp_path: Path) -> None:
    """On the same file of log-probabilities, which ours wrote."""
    small, base, text = tmp_path / "q4_0.gguf", tmp_path / "base", wikitext.read_text(encoding="utf-8")
    run(tools / "llama-quantize", "--allow-requantize", smollm2, small, "Q4_0")
    EXPORTER.load(smollm2, 2).score(text, chunks=4, save_base=base)
    ours = EXPORTER.load(small, 2).score(text, chunks=4, base=base)
    said = run(
        *(tools / "llama-perplexity", "-m", small, "-f", wikitext, "-c", 512, "-t", 2),
        *("--kl-divergence", "--kl-divergence-base", base),
    )
    mean, error = map(float, re.findall(r"Mean +KLD: +([\d.]+) ± +([\d.]+)", said)[0])
    assert (ours.mean_kld, ours.mean_kld_error) == pytest.approx((mean, error), rel=2e-3)
    assert ours.kld_percentile(99) == pytest.approx(float(re.findall(r"99.0% +KLD: +([\d.]+)", said)[0]), rel=5e-3)
    same = float(re.findall(r"Same top p: +([\d.]+)", said)[0])
    assert 100 * ours.same_top_rate == pytest.approx(same, abs=0.2)


@pytest.mark.slow
def test_the_importance_matrix_is_that_of_llama_imatrix(
    tools: Path, smollm2: Path, wikitext: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, theirs = tmp_path / "text.txt", tmp_path / "theirs.gguf"
    text.write_text(wikitext.read_text(encoding="utf-8")[:10000], encoding="utf-8")
    # One chunk a batch: of three side by side it would leave out the last two positions of each, as fewer than 16 rows.
    run(tools / "llama-imatrix", "-m", smollm2, "-f", text, "-o", theirs, "-t", 2, "--no-ppl", "-b", 512)
    tokens = EXPORTER.load(smollm2, 2).tokenize(text.read_text(encoding="utf-8"))
    ours, _ = importance(smollm2, [np.array(tokens, np.int32)], 2, None, silent)
    # llama.cpp's own reader of its own format, from the source that the tools were built of.
    monkeypatch.syspath_prepend(str(llama.folder() / "source" / "vendor" / "llama.cpp" / "gguf-py"))
    reader = pytest.importorskip("gguf").GGUFReader(theirs)
    held = {tensor.name: tensor.data.reshape(-1) for tensor in reader.tensors}
    assert {f"{name}.in_sum2" for name in ours} == {name for name in held if name.endswith(".in_sum2")}
    for name, values in ours.items():
        assert values == pytest.approx(held[f"{name}.in_sum2"] / held[f"{name}.counts"][0], rel=1e-4)


DEQUANTIZE = """
import sys, torch, transformers
place, name, out = sys.argv[1:]
model = transformers.AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
model.hf_quantizer = None
if hasattr(model.config, "quantization_config"):
    del model.config.quantization_config
model.to(torch.float16).save_pretrained(out)
transformers.AutoTokenizer.from_pretrained(place, gguf_file=name).save_pretrained(out)
"""


@pytest.mark.slow
def test_from_hugging_face_to_q8_0(smollm2: Path, wikitext: Path, tmp_path: Path) -> None:
    """The same tokens as the Hugging Face tokenizer's, and next to no loss of perplexity."""
    from _gguf_files import Toy
    from transformers import AutoTokenizer

    from edgekit.checkpoint import read_checkpoint

    toy: Any = Toy()
    folder, text = tmp_path / "hf", wikitext.read_text(encoding="utf-8")
    run(sys.executable, "-c", DEQUANTIZE, smollm2.parent, smollm2.name, folder)
    (tmp_path / "out").mkdir()
    checkpoint, work = read_checkpoint(folder), tmp_path / "work"
    reference = EXPORTER.reference(toy, checkpoint, work, silent)["network"]
    assert reference.tokenize(text, bos=False) == AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    artifact = EXPORTER.export(toy, checkpoint, Recipe("gguf", "q8_0"), {}, tmp_path / "out", work, silent)[0]
    assert artifact.census["source"] == "f16"
    exact = reference.score(text, chunks=20).perplexity
    found = EXPORTER.load(tmp_path / "out" / artifact.file, 2).score(text, chunks=20).perplexity
    assert found == pytest.approx(exact, rel=2e-3)
