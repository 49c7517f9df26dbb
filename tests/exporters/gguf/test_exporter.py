"""The gguf exporter on a Llama of 256 channels with random weights: what is written, what is said, what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import absent
from helpers.cases.gguf_files import Toy, llama_file, llama_metadata, llama_tensors, write

from edgekit.core import Artifact, Costs, Recipe
from edgekit.errors import BadInput, ExportFailed, Unsupported
from edgekit.exporters.gguf import EXPORTER
from edgekit.exporters.gguf.convert import convert
from edgekit.exporters.gguf.importance import importance
from edgekit.exporters.gguf.quantize import quantize
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.formats.gguf import reader
from edgekit.llama import library as llama
from edgekit.runtimes.llama_cpp import RUNTIME

TEXT = "It was a bright cold day in April, and the clocks were striking thirteen. " * 30


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    ok, _, remedy = llama.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")


def silent(what: str, done: int, total: int) -> None:
    pass


def export(source: Path, folder: Path, precision: str, texts: tuple[Any, ...] = (), **options: Any) -> Artifact:
    calibration = {"network": [{"tokens": np.arange(5)}, *({"tokens": text} for text in texts)]}
    (folder / "out").mkdir(parents=True, exist_ok=True)
    recipe = Recipe("llama-cpp", precision, options)
    toy: Any = Toy()
    return EXPORTER.export(toy, read_checkpoint(source), recipe, calibration, folder / "out", folder / "work", silent)[
        0
    ]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llama_file(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def runner(tiny: Path) -> Any:
    return RUNTIME.load(tiny, 2)


# ------------------------------------------------------------------------------------------------------- exports


@pytest.mark.parametrize("precision", ["f32", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "iq4_xs"])
def test_an_export_holds_what_it_says(tiny: Path, runner: Any, tmp_path: Path, precision: str) -> None:
    artifact = export(tiny, tmp_path, precision)
    file = tmp_path / "out" / artifact.file
    facts, header = artifact.census, reader.read(file)
    assert (artifact.part, artifact.file, facts["source"]) == ("network", "network.gguf", "f16")
    assert facts["file_type"] == header.file_type == precision
    assert facts["tensors"] == {tensor.name: tensor.type for tensor in header.tensors}
    assert facts["bytes"] == dict(reader.census(header).bytes)
    assert facts["fallbacks"] == []
    wanted = precision.removesuffix("_m")
    assert facts["tensors"]["blk.1.ffn_up.weight"] == wanted
    assert facts["bits_per_weight"] == pytest.approx(8 * sum(facts["bytes"].values()) / facts["parameters"], abs=1e-3)
    feeds = {"tokens": np.array(runner.tokenize(TEXT[:100]), np.int32)}
    reference, found = runner(feeds)["logits"], RUNTIME.load(file, 2)(feeds)["logits"]
    error = np.linalg.norm(found - reference) / np.linalg.norm(reference)
    # Random weights amplify every error, as trained ones do not: 1.4 is what two unrelated models would have.
    assert error < {"f32": 0.01, "bf16": 0.05, "q8_0": 0.1, "q6_k": 0.25}.get(precision, 0.8)
    assert not list(tmp_path.rglob("*.partial"))


def test_narrow_rows_are_told_as_fallbacks(tmp_path: Path) -> None:
    """As SmolLM2's, whose rows of 576 no K type can hold."""
    facts = export(llama_file(tmp_path / "narrow.gguf", width=160), tmp_path, "q4_k_m").census
    assert "q4_k" not in facts["bytes"]
    assert {one["type"] for one in facts["fallbacks"]} == {"q5_0", "q8_0"}
    assert {"rows of 160 weights are no multiple of 256", "rows of 320 weights are no multiple of 256"} == {
        one["reason"] for one in facts["fallbacks"]
    }
    assert sum(one["bytes"] for one in facts["fallbacks"]) == facts["bytes"]["q5_0"] + facts["bytes"]["q8_0"]
    assert facts["label"].startswith("q4_k_m: 0 MB of")
    assert "fell back to q5_0, q8_0" in facts["label"]


def test_the_sources_own_type_is_copied(tiny: Path, tmp_path: Path) -> None:
    artifact = export(tiny, tmp_path, "f16")
    copy = tmp_path / "out" / artifact.file
    assert copy.read_bytes() == tiny.read_bytes()
    assert copy.stat().st_ino != tiny.stat().st_ino
    assert artifact.census["source"] == "f16, taken as it is"


def test_a_default_keeps_a_quantized_source_that_it_would_not_make_smaller(tiny: Path, tmp_path: Path) -> None:
    source = tmp_path / "out" / export(tiny, tmp_path, "q4_1").file
    size, own = source.stat().st_size, Recipe("llama-cpp", "q4_1", {"context": 512})

    def settled(file: Path, estimate: int, precision: str = "q4_k_m") -> list[Recipe]:
        model: Any = SimpleNamespace(costs=Costs(lambda recipe: estimate, lambda recipe: 0))
        return list(
            EXPORTER.recipes_for_quantized(
                model, read_checkpoint(file), Recipe("llama-cpp", precision, {"context": 512})
            )
        )

    assert settled(source, size) == [own]
    assert settled(source, size - 1) == [], "the default makes it smaller"
    assert settled(tiny, 10 * size) == [], "it is not quantized yet"
    assert settled(source, size, "q4_1") == [own], "it is what is wanted"
    large = tmp_path / "large" / "out" / export(tiny, tmp_path / "large", "q4_1", embedding="q8_0").file
    assert settled(large, large.stat().st_size) == [own]
    assert export(source, tmp_path / "as-is", "q4_1").census["source"] == "q4_1, taken as it is"


def test_the_embedding_alone_is_made_smaller_where_asked(tiny: Path, tmp_path: Path) -> None:
    large = tmp_path / "large" / "out" / export(tiny, tmp_path / "large", "q4_1", embedding="q8_0").file
    again = export(large, tmp_path / "again", "q4_1", embedding="q6_k")
    assert again.census["source"] == "q4_1, taken as it is but for the embedding, which is now q6_k"
    before, after = (
        {tensor.name: tensor.type for tensor in reader.read(file).tensors}
        for file in (large, tmp_path / "again" / "out" / again.file)
    )
    changed = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    assert changed.pop("token_embd.weight") == ("q8_0", "q6_k")
    assert set(changed) <= {"output.weight"}


def test_a_quantized_source_is_said_to_be_one(tiny: Path, tmp_path: Path) -> None:
    quantized = tmp_path / "out" / export(tiny, tmp_path, "q4_0").file
    again = export(quantized, tmp_path / "again", "q8_0")
    assert again.census["source"] == "q4_0, re-quantized: its loss is in here too"
    kept = export(quantized, tmp_path / "kept", "q4_0")
    assert (tmp_path / "kept" / "out" / kept.file).read_bytes() == quantized.read_bytes()


def test_the_reference_of_a_quantized_source_is_in_16_bits_or_itself(tiny: Path, tmp_path: Path) -> None:
    quantized = tmp_path / "out" / export(tiny, tmp_path, "q4_0").file
    work = tmp_path / "reference"
    toy: Any = Toy()
    found = EXPORTER.reference(toy, read_checkpoint(quantized), work, silent)["network"]
    assert found.metadata["general.file_type"] == reader.FILE_TYPES["f16"]
    own: Any = Toy("source")
    found = EXPORTER.reference(own, read_checkpoint(quantized), work, silent)["network"]
    assert found.metadata["general.file_type"] == reader.FILE_TYPES["q4_0"]


def test_shards_become_one_file(tiny: Path, tmp_path: Path) -> None:
    tensors = list(llama_tensors().items())
    for i, some in enumerate((dict(tensors[:9]), dict(tensors[9:]))):
        head = llama_metadata() if i == 0 else {"general.architecture": "llama"}
        split = {"split.no": np.uint16(i), "split.count": np.uint16(2), "split.tensors.count": np.int32(len(tensors))}
        (tmp_path / f"t-{i + 1:05}-of-00002.gguf").write_bytes(write({**head, **split}, some))
    whole = tmp_path / "out" / export(tmp_path / "t-00002-of-00002.gguf", tmp_path, "f16").file
    feeds = {"tokens": np.arange(3, 40, dtype=np.int32)}
    assert np.array_equal(RUNTIME.load(whole, 2)(feeds)["logits"], RUNTIME.load(tiny, 2)(feeds)["logits"])


# ------------------------------------------------------------------------------------------- the importance matrix


@pytest.mark.thorough
def test_types_that_need_an_importance_matrix_say_so(tiny: Path, runner: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="importance matrix") as told:
        export(tiny, tmp_path, "iq3_xxs")
    assert "--calibration" in told.value.hint
    tokens = np.array(runner.tokenize(TEXT), np.int32)
    with pytest.raises(BadInput, match=r"511 tokens.*at least 512"):
        export(tiny, tmp_path, "iq3_xxs", (tokens[:511],))
    artifact = export(tiny, tmp_path, "iq3_xxs", (tokens[:300], tokens[300:]), chunks=3)
    assert artifact.census["importance_matrix"] == {"chunks": 3, "tokens": 3 * 512}
    assert "iq3_xxs" in artifact.census["bytes"]


def test_an_importance_matrix_makes_another_file(tiny: Path, runner: Any, tmp_path: Path) -> None:
    tokens = np.array(runner.tokenize(TEXT), np.int32)
    plain = (tmp_path / "out" / export(tiny, tmp_path, "q4_k_m").file).read_bytes()
    weighed = (tmp_path / "out" / export(tiny, tmp_path, "q4_k_m", (tokens,), rounding="llama.cpp").file).read_bytes()
    assert len(plain) == len(weighed) and plain != weighed


def test_the_importance_is_the_mean_square_of_the_inputs(tiny: Path, runner: Any) -> None:
    """The first layer's inputs are its normed embeddings, which numpy can compute too."""
    tokens = np.array(runner.tokenize(TEXT, bos=False), np.int32)
    matrix, chunks = importance(tiny, [tokens], 2, 2, silent)
    assert chunks == 2
    assert matrix.keys() == {name for name in llama_tensors() if name.startswith("blk.") and "norm" not in name}
    have = len(tokens) // 512
    used = [tokens[i * have // 2 * 512 :][:512].copy() for i in range(2)]
    for chunk in used:
        chunk[0] = runner.begin_token
    embedded = llama_tensors()["token_embd.weight"][np.concatenate(used)].astype(np.float64)
    normed = embedded / np.sqrt((embedded**2).mean(axis=1, keepdims=True) + 1e-5)
    for name in ("blk.0.attn_q.weight", "blk.0.attn_v.weight"):
        assert matrix[name] == pytest.approx((normed**2).mean(axis=0), rel=1e-4)
    assert not np.allclose(matrix["blk.1.attn_q.weight"], matrix["blk.0.attn_q.weight"], rtol=0.1)


# ------------------------------------------------------------------------------------------------------- refusals


def test_what_the_exporter_cannot_do_is_said(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="no precision 'int8'"):
        export(tiny, tmp_path, "int8")
    with pytest.raises(Unsupported, match="no option 'form'"):
        export(tiny, tmp_path, "q8_0", form="static")
    with pytest.raises(Unsupported, match="chunks cannot be 0"):
        export(tiny, tmp_path, "q8_0", chunks=0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"general__architecture": "nonsense"}, "unknown model architecture: 'nonsense'"),
        ({"tokenizer__ggml__model": None}, "tokenizer|cannot load"),
        ({"llama__feed_forward_length": 1024}, "wrong shape"),
        ({"llama__block_count": 3}, r"blk\.2\.attn_norm\.weight' not found"),
        ({"llama__context_length": None}, "context_length"),
    ],
)
def test_a_model_that_llama_cannot_load_is_bad_input(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        RUNTIME.load(llama_file(tmp_path / "bad.gguf", **changes), 2)


def test_a_source_that_llama_cannot_quantize_fails_without_a_file(tmp_path: Path) -> None:
    bad = llama_file(tmp_path / "bad.gguf", general__architecture="nonsense")
    with pytest.raises(ExportFailed, match="nonsense"):
        export(bad, tmp_path, "q8_0")
    assert [path.name for path in tmp_path.rglob("*.gguf*")] == ["bad.gguf"]


KILLED = """
import sys
from pathlib import Path
from edgekit.exporters.gguf.quantize import quantize
print("ready", flush=True)
quantize(Path(sys.argv[1]), Path(sys.argv[2]), "q4_k_m")
"""


@pytest.mark.thorough
def test_a_killed_quantization_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    source, out = llama_file(tmp_path / "large.gguf", width=768, layers=6), tmp_path / "q.gguf"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(source), str(out)], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        partial, until = out.with_name("q.gguf.partial"), time.monotonic() + 60
        while not (partial.exists() and partial.stat().st_size) and time.monotonic() < until:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert partial.exists()
    assert not out.exists()
    quantize(source, out, "q4_k_m")  # what was left is in nobody's way
    assert reader.read(out).file_type == "q4_k_m"
    assert not partial.exists()


def test_a_library_of_another_version_is_refused(tmp_path: Path) -> None:
    """Its structures would be read wrongly, in silence."""
    found = llama.libraries()
    assert found is not None
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for library in found.glob("*.so*"):
        (copy / library.name).symlink_to(library)
    code = "from edgekit.llama import library\nlibrary.COMMIT = '{commit}'\nlibrary.bindings()"
    for commit, status in (("f" * 40, 1), (llama.COMMIT, 0)):
        done = subprocess.run(
            [sys.executable, "-c", code.format(commit=commit)],
            env={**os.environ, "LLAMA_CPP_LIB_PATH": str(copy)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert ("is of llama.cpp's commit" in done.stderr) == (status == 1)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "libllama.so").write_bytes(b"no library")
    done = subprocess.run(
        [sys.executable, "-c", "from edgekit.llama import library\nlibrary.bindings()"],
        env={**os.environ, "LLAMA_CPP_LIB_PATH": str(damaged)},
        capture_output=True,
        text=True,
    )
    assert "cannot be loaded" in done.stderr and "python -m edgekit.llama" in done.stderr


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_folder_that_brings_code_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(BadInput, match="no tokenizer"):
        convert(folder, tmp_path / "out.gguf", silent)
    (folder / "tokenizer.json").write_text("{}")
    (folder / name).write_text('{"auto_map": {"AutoTokenizer": ["evil.Tokenizer", null]}}')
    with pytest.raises(BadInput, match="auto_map"):
        convert(folder, tmp_path / "out.gguf", silent)
