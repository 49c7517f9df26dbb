"""A .gguf at an address: its header by parts, its shards, which of many is meant; a checkpoint by its config.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import absent
from helpers.cases.gguf_files import header, llama_file
from helpers.pages.server import Site, serving

import edgekit
from edgekit.errors import BadInput, FetchFailed
from edgekit.formats import gguf
from edgekit.importers.resolved import inspect, model_of
from edgekit.llama import library
from edgekit.runtimes.llama_cpp.runner import LlamaRunner
from edgekit.runtimes.resolved import recipe_of
from edgekit.sources import web

COMMIT = "c" * 40


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2.5 MB: more than is asked for at first."""
    return llama_file(tmp_path_factory.mktemp("gguf") / "model.gguf")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(web, "WAIT", 0.0)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    for name in ("EDGEKIT_OFFLINE", "EDGEKIT_MIRROR", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with serving(Site(files={})) as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        yield site


def holding(site: Site, files: dict[str, bytes]) -> str:
    """A repository of `files` on the hub `site`."""
    siblings = []
    for name, body in files.items():
        site.files[f"/o/m-GGUF/resolve/{COMMIT}/{name}"] = body
        lfs = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "pointerSize": 1}
        siblings.append({"rfilename": name, "size": len(body)} | ({"lfs": lfs} if len(body) > 1000 else {}))
    answer = {"id": "o/m-GGUF", "sha": COMMIT, "siblings": siblings, "cardData": {"license": "mit"}}
    site.files["/api/models/o/m-GGUF"] = json.dumps(answer).encode()
    return "hf://o/m-GGUF"


def test_an_address_is_read_by_its_start_and_exported(site: Site, file: Path, tmp_path: Path) -> None:
    site.files["/it/model.gguf"] = file.read_bytes()
    address = f"{site.url}/it/model.gguf"
    model = model_of(address)
    assert site.sent <= 1 + (1 << 20) < file.stat().st_size
    assert (model.name, model.weights.hub) == ("model", address)
    local = model_of(str(file))
    assert model.network.parameters == local.network.parameters
    recipes = [recipe_of("llama-cpp", precision) for precision in ("q4_0", "q8_0", "f16")]
    assert [model.costs.memory(recipe) for recipe in recipes] == [local.costs.memory(recipe) for recipe in recipes]
    assert edgekit.fit(model, "android").verdict == "fits"
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    bundle = edgekit.export(address, precision="q8_0", out=tmp_path / "bundle", evidence=False)
    assert edgekit.load(bundle.path).predict("the", raw=True, most=4).details["tokens"] <= 4


def test_a_server_without_parts_is_told_so(site: Site, file: Path) -> None:
    site.files["/model.gguf"], site.ranges = file.read_bytes(), False
    with pytest.raises(FetchFailed, match="sends whole files only") as caught:
        inspect(f"{site.url}/model.gguf")
    assert "edgekit fit FILE.gguf" in str(caught.value.hint)
    with pytest.raises(FetchFailed, match="404"):
        inspect(f"{site.url}/other.gguf")


def test_what_a_server_sends_is_not_believed(site: Site, file: Path) -> None:
    site.files["/model.gguf"] = file.read_bytes()[:-100]
    with pytest.raises(BadInput, match="past its end"):
        inspect(f"{site.url}/model.gguf")
    site.files["/model.gguf"] = b"<html>no</html>" + bytes(100)
    with pytest.raises(BadInput, match="does not start with GGUF"):
        inspect(f"{site.url}/model.gguf")


def test_a_repository_of_many(site: Site, file: Path) -> None:
    body = file.read_bytes()
    address = holding(site, {"m-Q4_K_M.gguf": body, "m-Q8_0.gguf": body, "mmproj-m.gguf": b"x" * 2000})
    assert model_of(address).weights.hub == address, "the usual type"
    for choice in ("q8_0", "Q8_0", "*Q8*.gguf", "m-Q8_0.gguf"):
        assert inspect(f"{address}:{choice}").licence == "mit"
    assert "m-Q8_0.gguf" in site.requests[-1][0]
    with pytest.raises(BadInput, match="0 of them fit 'q2_k'") as caught:
        inspect(f"{address}:q2_k")
    assert "m-Q4_K_M.gguf, m-Q8_0.gguf" in str(caught.value.hint)
    with pytest.raises(BadInput, match="2 of them fit"):
        inspect(f"{address}:*.gguf")


def test_shards(site: Site, file: Path) -> None:
    body = file.read_bytes()
    address = holding(site, {f"q/m-Q4_K_M-0000{i}-of-00002.gguf": body for i in (1, 2)})
    held = inspect(address)
    asked = [path for path, _ in site.requests if path.endswith(".gguf")]
    assert {path.rpartition("/")[2] for path in asked} == {f"m-Q4_K_M-0000{i}-of-00002.gguf" for i in (1, 2)}
    assert held.parameters == 2 * sum(tensor.count for tensor in gguf.read(file).tensors)
    address = holding(site, {"m-Q4_K_M-00001-of-00002.gguf": body})
    with pytest.raises(BadInput, match=r"lacks m-Q4_K_M-00002-of-00002\.gguf"):
        inspect(address)
    site.files["/m-00001-of-00002.gguf"] = site.files["/m-00002-of-00002.gguf"] = body
    assert inspect(f"{site.url}/m-00001-of-00002.gguf").parameters == held.parameters


def test_a_checkpoint_is_told_by_its_settings_alone(site: Site) -> None:
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "num_hidden_layers": 3,
        "num_attention_heads": 8, "num_key_value_heads": 2, "intermediate_size": 704, "vocab_size": 1000,
        "max_position_embeddings": 512,
    }  # fmt: skip
    files = {"config.json": json.dumps(config).encode(), "tokenizer.json": b"{}", "model.safetensors": bytes(5000)}
    address = holding(site, files).replace("m-GGUF", "m")
    site.files = {path.replace("m-GGUF", "m"): body for path, body in site.files.items()}
    assert edgekit.fit(model_of(address), "laptop").verdict == "fits"
    assert [path.rpartition("/")[2] for path, _ in site.requests if "resolve" in path] == ["config.json"]


#: Type of ggml -> its number, weights of a block, bytes of a block.
TYPES = {"f32": (0, 1, 4), "q4_k": (12, 256, 144), "q6_k": (14, 256, 210)}
LAYERS, WIDTH, FEED, QUERIES, KEYS, WORDS = 36, 2560, 9728, 4096, 1024, 151936


def four_billion() -> tuple[bytes, int]:
    """The header of a Q4_K_M of Qwen3-4B's shape, and the size of its file."""
    tensors = {"token_embd.weight": tensor("q6_k", WIDTH, WORDS), "output_norm.weight": tensor("f32", WIDTH)}
    for i in range(LAYERS):
        more = "q6_k" if i % 2 else "q4_k"
        tensors |= {
            f"blk.{i}.attn_norm.weight": tensor("f32", WIDTH),
            f"blk.{i}.attn_q.weight": tensor("q4_k", WIDTH, QUERIES),
            f"blk.{i}.attn_k.weight": tensor("q4_k", WIDTH, KEYS),
            f"blk.{i}.attn_v.weight": tensor(more, WIDTH, KEYS),
            f"blk.{i}.attn_output.weight": tensor("q4_k", QUERIES, WIDTH),
            f"blk.{i}.attn_q_norm.weight": tensor("f32", 128),
            f"blk.{i}.attn_k_norm.weight": tensor("f32", 128),
            f"blk.{i}.ffn_norm.weight": tensor("f32", WIDTH),
            f"blk.{i}.ffn_gate.weight": tensor("q4_k", WIDTH, FEED),
            f"blk.{i}.ffn_up.weight": tensor("q4_k", WIDTH, FEED),
            f"blk.{i}.ffn_down.weight": tensor(more, FEED, WIDTH),
        }
    metadata = {
        "general.architecture": "qwen3",
        "general.file_type": 15,
        "qwen3.context_length": 40960,
        "qwen3.embedding_length": WIDTH,
        "qwen3.block_count": LAYERS,
        "qwen3.feed_forward_length": FEED,
        "qwen3.attention.head_count": 32,
        "qwen3.attention.head_count_kv": 8,
        "qwen3.attention.key_length": 128,
        "qwen3.attention.value_length": 128,
        "qwen3.attention.layer_norm_rms_epsilon": 1e-6,
        "qwen3.rope.freq_base": 1e6,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": [f"t{i}" for i in range(WORDS)],
        "tokenizer.ggml.merges": ["t 1", "t 2"],
        "tokenizer.ggml.eos_token_id": 1,
    }
    return header(metadata, tensors)


def tensor(kind: str, *shape: int) -> tuple[tuple[int, ...], int, int]:
    number, block, size = TYPES[kind]
    count = shape[0] * (shape[1] if len(shape) > 1 else 1)
    return shape, number, count // block * size


@pytest.mark.slow
def test_memory_of_four_billion_weights_by_the_header(tmp_path: Path) -> None:
    """Beside llama.cpp's own accounting of a file with that header (the weights are a hole): takes 5 GB of memory."""
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    head, size = four_billion()
    path = tmp_path / "four-billion.gguf"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    asked: list[int] = []

    def part(start: int, length: int) -> bytes:
        asked.append(length)
        return head[start : start + length]

    assert gguf.read_start(part, "it", size) == gguf.read(path)
    assert sum(asked) <= 1 << 22
    fit = edgekit.fit(model_of(str(path)), "laptop", "q4_k_m")
    accounted = LlamaRunner(path, 2).memory_breakdown(4096, 512)
    assert fit.ram == pytest.approx(sum(accounted.values()), rel=0.10), accounted
