"""Memory is asked for before it is taken: what the system says is free, and what a model needs at least."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import absent
from helpers.cases.gguf_files import llama_file

from edgekit.errors import OverBudget
from edgekit.llama import library
from edgekit.runtimes.llama_cpp import RUNTIME, room

MEGA = 1 << 20


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 900 MiB free, and this process in the group a/b of a container that may have 600."""
    for name, text in {
        "proc/meminfo": "MemTotal: 2000000 kB\nMemAvailable: 921600 kB\n",
        "proc/self/cgroup": "0::/a/b\n",
        "groups/memory.stat": "anon 5\n",
        "groups/a/memory.max": f"{600 * MEGA}\n",
        "groups/a/memory.current": f"{500 * MEGA}\n",
        "groups/a/memory.stat": f"anon 5\ninactive_file {100 * MEGA}\n",
        "groups/a/b/memory.max": "max\n",
        "groups/a/b/memory.current": "5\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(room, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(room, "_GROUPS", tmp_path / "groups")
    return tmp_path


def test_the_tightest_limit_counts_and_unused_cache_does_not(machine: Path) -> None:
    assert room.available() == 200 * MEGA
    (machine / "groups" / "a" / "memory.max").write_text("max\n")
    assert room.available() == 900 * MEGA
    (machine / "proc" / "meminfo").unlink()
    assert room.available() is None
    room.check("x", "the weights", 1 << 60)  # nobody knows: nothing is refused


def test_both_numbers_are_told(machine: Path) -> None:
    room.check("x.gguf", "the weights", 200 * MEGA)
    with pytest.raises(OverBudget, match=r"the weights of x\.gguf need 211 MB of RAM; 210 MB are free"):
        room.check("x.gguf", "the weights", 201 * MEGA)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            {"block_count": 30, "embedding_length": 576, "attention.head_count": 9, "attention.head_count_kv": 3},
            94371840,
        ),
        (
            {"block_count": 2, "attention.head_count": 4, "attention.key_length": 64, "attention.value_length": 32},
            6291456,
        ),
        (
            {"block_count": 2, "embedding_length": 64, "attention.head_count": 4, "attention.sliding_window": 512},
            262144,
        ),
        ({"block_count": 2, "attention.head_count": [1, 2]}, 0),
        ({}, 0),
    ],
)
def test_keys_and_values_of_4096_tokens(facts: dict[str, Any], expected: int) -> None:
    metadata = {"general.architecture": "llama", **{f"llama.{name}": value for name, value in facts.items()}}
    assert room.cache_size(metadata, 4096) == expected


def test_a_model_without_room_is_refused_before_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    file = llama_file(tmp_path / "tiny.gguf")
    runner = RUNTIME.load(file, 1)
    monkeypatch.setattr(room, "available", lambda: 100_000)
    with pytest.raises(OverBudget, match=r"keys and values of 2048 tokens of tiny\.gguf need 2 MB"):
        runner.context(2048)
    other = llama_file(tmp_path / "other.gguf")
    with pytest.raises(OverBudget, match=r"the weights of other\.gguf"):
        RUNTIME.load(other, 1)
