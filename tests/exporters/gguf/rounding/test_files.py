"""Whole files on a Llama with random weights: what the library multiplies with, what is written, what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import absent
from helpers.cases.ggml import dequantized
from helpers.cases.gguf_files import Toy, llama_file, llama_metadata, llama_tensors, write

from edgekit.core import Artifact, Recipe
from edgekit.errors import BadInput
from edgekit.exporters.gguf import EXPORTER
from edgekit.exporters.gguf.importance import importance
from edgekit.exporters.gguf.quantize import quantize
from edgekit.exporters.gguf.rounding.files import MIXED, round_file
from edgekit.exporters.gguf.rounding.inputs import Hessians, blocks, passes_of, record
from edgekit.formats import gguf
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.llama import library as llama
from edgekit.runtimes.llama_cpp import RUNTIME

LINES = [f"Line {i}: the {('red', 'old', 'cold')[i % 3]} clock struck {i * i % 97} in April. " for i in range(90)]
TEXT = "".join(LINES)
EMBEDDING = "token_embd.weight"
WIDTH = 64


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    ok, _, remedy = llama.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")


def silent(what: str, done: int, total: int) -> None:
    pass


def tokens(file: Path) -> Any:
    return np.array(RUNTIME.load(file, 1).tokenize(TEXT, bos=False), np.int32)


def hessians(file: Path, folder: Path, chunks: int = 2) -> Hessians:
    matrices = [tensor for tensor in gguf.read(file).tensors if len(tensor.shape) == 2]
    return record(file, matrices, [tokens(file)], 1, chunks, folder, silent)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llama_file(tmp_path_factory.mktemp("tiny") / "tiny.gguf", WIDTH)


@pytest.fixture(scope="module")
def known(tiny: Path) -> Hessians:
    return hessians(tiny, tiny.parent / "hessians")


# ------------------------------------------------------------------------------------------------------ the Hessians


def test_the_hessian_is_that_of_the_inputs(tiny: Path, known: Hessians) -> None:
    """The first layer's inputs are its normed embeddings, which NumPy can compute too."""
    own, runner = tokens(tiny), RUNTIME.load(tiny, 1)
    have = len(own) // 512
    chunks = [own[i * have // 2 * 512 :][:512].copy() for i in range(2)]
    for chunk in chunks:
        chunk[0] = runner.begin_token
    embedded = llama_tensors(WIDTH)[EMBEDDING][np.concatenate(chunks)].astype(np.float64)
    normed = embedded / np.sqrt((embedded**2).mean(axis=1, keepdims=True) + 1e-5)
    [found] = known["blk.0.attn_q.weight"]
    assert found == pytest.approx(normed.T @ normed / len(normed), abs=1e-4)
    assert (known.rows, known.chunks) == (2 * 512, 2)


def test_products_with_the_same_inputs_share_a_hessian(known: Hessians) -> None:
    files = known.files
    for some in (("attn_q", "attn_k", "attn_v"), ("ffn_gate", "ffn_up")):
        assert len({files[f"blk.1.{name}.weight"] for name in some}) == 1
    assert len({files[f"blk.{i}.{name}.weight"] for i in (0, 1) for name in ("attn_q", "attn_output", "ffn_down")}) == 6
    assert "output.weight" in known and EMBEDDING not in known, "which is looked up, not multiplied"


def test_the_diagonal_is_the_importance_matrix(tiny: Path, known: Hessians) -> None:
    theirs, _ = importance(tiny, [tokens(tiny)], 1, 2, silent)
    own = known.importance()
    assert own.keys() == theirs.keys()
    for name, values in theirs.items():
        assert own[name] == pytest.approx(values, rel=1e-3)


def test_a_wide_hessian_is_kept_in_blocks() -> None:
    for inputs in (576, 2304, 4096, 8960, 11008, 14336):
        pieces = blocks(inputs)
        assert (pieces[0][0], pieces[-1][1]) == (0, inputs)
        assert all(end == start for (_, end), (start, _) in itertools.pairwise(pieces))
        assert all(0 < end - start <= 2304 and start % 256 == 0 for start, end in pieces)


def test_the_text_is_read_once_where_memory_allows_it(tiny: Path) -> None:
    matrices = [tensor for tensor in gguf.read(tiny).tensors if len(tensor.shape) == 2]
    one = 4 * WIDTH**2
    assert [len(some) for some in passes_of(matrices, 1 << 30)] == [len(matrices)]
    assert [len(some) for some in passes_of(matrices[:7], 3 * one)][:2] == [3, 3]
    assert [some for one_pass in passes_of(matrices, 1) for some in one_pass] == matrices


# ---------------------------------------------------------------------------------------------------------- the file


def error(weights: Any, truth: Any, name: str, known: Hessians) -> float:
    """Relative error of the products of a matrix."""
    truth = truth.astype(np.float32)
    [hessian] = known[name]
    lost, power = (np.einsum("nk,kl,nl->", part, hessian, part) for part in (weights - truth, truth))
    return float((lost / power) ** 0.5)


@pytest.mark.parametrize(("precision", "width"), [("q4_k_m", 256), ("iq4_xs", WIDTH), ("q4_0", WIDTH)])
def test_a_file_loses_less_and_is_no_larger(tmp_path: Path, precision: str, width: int) -> None:
    source = llama_file(tmp_path / "tiny.gguf", width, 1)
    known = hessians(source, tmp_path / "hessians")
    own, plain = tmp_path / "own.gguf", tmp_path / "plain.gguf"
    facts = round_file(source, own, precision, known, [tokens(source)], 1, silent)
    quantize(source, plain, precision, known.importance())
    files = {file: {tensor.name: tensor for tensor in gguf.read(file).tensors} for file in (own, plain)}
    assert own.stat().st_size <= plain.stat().st_size
    assert (facts["bytes"], facts["bytes_of_llama_cpp"]) == (own.stat().st_size, plain.stat().st_size)
    assert gguf.read(own).metadata == gguf.read(plain).metadata
    same, truth = precision not in MIXED, llama_tensors(width, 1)
    assert not same or all(files[own][name].type == tensor.type for name, tensor in files[plain].items())
    losses: dict[Path, list[float]] = {own: [], plain: []}
    for file, tensors in files.items():
        for name in facts["errors"]:
            place, raw = tensors[name], file.read_bytes()
            held = np.frombuffer(raw[place.offset : place.offset + place.size], np.uint8)
            weights = dequantized(held.reshape(place.shape[1], -1), place.type)
            losses[file].append(error(weights, truth[name], name, known))
    assert losses[own] == pytest.approx(list(facts["errors"].values()), rel=0.02, abs=2e-5)
    assert not same or all(a < b for a, b in zip(losses[own], losses[plain], strict=True))
    assert sorted(path.name for path in tmp_path.glob("*.gguf*")) == ["own.gguf", "plain.gguf", "tiny.gguf"]


def test_a_tied_embedding_is_rounded_too(tmp_path: Path) -> None:
    tensors = llama_tensors(WIDTH, 1)
    del tensors["output.weight"]
    source = tmp_path / "tied.gguf"
    source.write_bytes(write(llama_metadata(WIDTH, 1), tensors))
    known = hessians(source, tmp_path / "hessians")
    facts = round_file(source, tmp_path / "own.gguf", "q4_k_m", known, [tokens(source)], 1, silent)
    assert facts["errors"].keys() == {name for name in tensors if "norm" not in name}


# -------------------------------------------------------------------------------------------------------- the export


def export(
    source: Path, folder: Path, precision: str, text: Any, parameters: int = 100_000, **options: Any
) -> Artifact:
    (folder / "out").mkdir(parents=True, exist_ok=True)
    toy: Any = Toy(parameters=parameters)
    feeds = {"network": [{"tokens": np.arange(5)}, {"tokens": text}]}
    recipe = Recipe("llama-cpp", precision, {"chunks": 2, **options})
    return EXPORTER.export(toy, read_checkpoint(source), recipe, feeds, folder / "out", folder / "work", silent)[0]


def test_an_export_with_text_says_how_it_rounded(tiny: Path, tmp_path: Path) -> None:
    census = export(tiny, tmp_path, "q4_k_m", tokens(tiny)).census
    assert census["rounding"]["by"] == "the inputs of each matrix (GPTQ)"
    assert census["importance_matrix"] == {"chunks": 2, "tokens": 2 * 512}
    assert census["label"].startswith("q4_k_m, rounded by the inputs of each matrix (GPTQ): ")
    assert {"blk.0.attn_q.weight", "output.weight"} <= census["rounding"]["errors"].keys()
    assert census["fallbacks"] == []
    theirs = export(tiny, tmp_path / "theirs", "q4_k_m", tokens(tiny), rounding="llama.cpp").census
    assert theirs["rounding"] is None and theirs["importance_matrix"] == {"chunks": 2, "tokens": 2 * 512}
    assert sum(census["bytes"].values()) <= sum(theirs["bytes"].values())
    large = export(tiny, tmp_path / "large", "q4_k_m", tokens(tiny), parameters=600_000_000).census
    assert large["rounding"] is None, "it takes long, unless the user asks for it"


def test_a_quantized_source_is_rounded_from_what_it_says(tiny: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.gguf"
    quantize(tiny, small, "q8_0")
    census = export(small, tmp_path, "q4_0", tokens(tiny)).census
    assert census["rounding"] and census["source"] == "q8_0, re-quantized: its loss is in here too"


def test_text_that_is_too_short_and_weights_that_are_no_numbers_are_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"511 tokens.*at least 512"):
        export(tiny, tmp_path, "q4_k_m", tokens(tiny)[:511])
    broken = tmp_path / "broken.gguf"
    tensors = llama_tensors(WIDTH)
    tensors["blk.1.attn_q.weight"][3, 5] = np.nan
    broken.write_bytes(write(llama_metadata(WIDTH), tensors))
    with pytest.raises(BadInput, match="not finite"):
        export(broken, tmp_path / "broken", "q4_0", tokens(tiny))
    assert not list((tmp_path / "broken" / "out").iterdir())


@pytest.mark.parametrize("step", ["reading the calibration text", "measuring types of matrices", "rounding matrices"])
def test_an_interruption_leaves_nothing_half_done(tiny: Path, tmp_path: Path, step: str) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if what == step and done:
            raise KeyboardInterrupt

    def rounds(progress: Callable[[str, int, int], None]) -> None:
        matrices = [tensor for tensor in gguf.read(tiny).tensors if len(tensor.shape) == 2]
        own = record(tiny, matrices, [tokens(tiny)], 1, 2, tmp_path / "hessians", progress)
        round_file(tiny, tmp_path / "own.gguf", "q4_k_m", own, [tokens(tiny)], 1, progress)

    with pytest.raises(KeyboardInterrupt):
        rounds(interrupt)
    assert not list(tmp_path.glob("*.gguf*"))
    rounds(silent)
    assert [path.name for path in tmp_path.glob("*.gguf*")] == ["own.gguf"]
