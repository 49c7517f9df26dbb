"""Qwen2.5-Coder-1.5B as a user meets it, the 1-8B case: three precisions, chat, speed, the frontier; memory kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import absent

from edgekit.core import Model, Recipe
from edgekit.llama import library
from edgekit.registry import find
from edgekit.sources.fetching import fetch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
MODEL = "qwen2-5-coder-1-5b"
#: Chunks of 512 tokens that the frontier needs at least to decide anything.
ENOUGH = 25_000


def edgekit(*arguments: object) -> tuple[str, int]:
    """What the command prints, and the most resident memory of its process in bytes."""
    command = [sys.executable, "-c", "from edgekit.cli.command import main; main()", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said[-2000:]
    return said, usage.ru_maxrss * 1024


@pytest.fixture(scope="module")
def packaged() -> Path:
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    folder, source = fetch(find("models", MODEL).weights.sources)
    return folder / source.files[0].name


@pytest.fixture(scope="module")
def made(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    place = tmp_path_factory.mktemp("qwen")

    def make(precision: str) -> Path:
        out = place / precision
        if not out.exists():
            command = ("export", MODEL, "--weights", packaged, "--target", "laptop", "--precision", precision)
            _, peak = edgekit(*command, "--out", out, "--no-fallback")
            assert peak < 3e9
        return out

    return make


@pytest.mark.parametrize("precision", ["q4_k_m", "q4_0", "q8_0"])
def test_it_answers_in_every_precision(made: Callable[[str], Path], precision: str) -> None:
    prompt = "Write a Python function that adds two numbers."
    said, _ = edgekit("run", made(precision), prompt, "-o", "most=60", "--json")
    (answer,) = json.loads(said)
    assert "def " in answer["output"] and "return" in answer["output"]
    assert "<|im_" not in answer["output"]


def test_bench_tells_speed_and_the_share_of_the_bandwidth(made: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    edgekit("bench", made("q4_k_m"), "--processes", 1, "--loops", 1, "--contexts", 0, "--out", out)
    values = {one["name"]: one["values"][0] for one in json.loads(out.read_bytes())["measurements"]}
    assert {"pp512", "tg128", "first_token", "rss.peak", "bandwidth.share"} <= values.keys()


def test_it_takes_the_memory_that_was_predicted(made: Callable[[str], Path]) -> None:
    """Of a process that answers a prompt which nearly fills its context."""
    prompt = "one two three four " * 110
    _, peak = edgekit("run", made("q4_k_m"), prompt, "-o", "context=512", "-o", "most=4")
    model = find("models", MODEL)
    assert isinstance(model, Model)
    assert model.costs.memory(Recipe("llama-cpp", "q4_k_m", {"context": 512})) == pytest.approx(peak, rel=0.1)


def test_the_frontier_names_the_smallest_that_is_good_enough(packaged: Path, shared_data: Path, tmp_path: Path) -> None:
    text = (shared_data / "wikitext-2" / "valid.txt").read_text(encoding="utf-8")
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text(text[:ENOUGH], encoding="utf-8")
    second.write_text(text[len(text) // 2 :][:ENOUGH], encoding="utf-8")
    out = tmp_path / "bundle"
    command = ("export", MODEL, "--weights", packaged, "--precision", "auto", "--max-kld", 0.05)
    edgekit(*command, "--calibration", first, "--data", second, "--out", out)
    rows = json.loads((out / "frontier.json").read_bytes())
    assert (out / "frontier.svg").stat().st_size > 1000
    taken = json.loads((out / "manifest.json").read_bytes())["recipe"]["precision"]
    assert taken != "f16" and json.dumps(rows).count(taken) >= 1
