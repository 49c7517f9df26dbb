"""What a file's weights and examples come of is seen by the next export, however it was read; the same is reused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
import torch

import edgekit
from edgekit.core import Bundle

pytestmark = pytest.mark.thorough

FILE = """
import os
from pathlib import Path
import numpy as np
import torch

HERE = Path(__file__).parent

def weights():
    return torch.tensor({weights}, dtype=torch.float32)

def build():
    network = torch.nn.Linear(3, 2)
    with torch.no_grad():
        network.weight.fill_(0).add_(weights().reshape(-1)[0])
    return network

def examples():
    for value in {examples}:
        yield np.full((1, 3), value, np.float32)
"""
FOUR = "range(4)"


class Case(NamedTuple):
    """Expressions of the file, and how what they read is first made (0) and then changed (1)."""

    weights: str
    examples: str
    change: Callable[[Path, int, pytest.MonkeyPatch], None]


def environment(folder: Path, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SCALE", str(turn + 2))


def listing(folder: Path, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "data").mkdir(exist_ok=True)
    for i in range(4 + 16 * turn):
        np.save(folder / "data" / f"{i:02}.npy", np.float32(i))


def sound(folder: Path, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(folder / "scale.wav", np.full(8, 0.25 + 0.5 * turn, np.float32), 8000)


def script(folder: Path, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = torch.nn.Linear(3, 2)
    with torch.no_grad():
        network.weight.fill_(turn + 2)
    torch.jit.trace(network, torch.zeros(1, 3)).save(str(folder / "scale.pt"))


def link(folder: Path, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(2):
        np.save(folder / f"{i}.npy", np.float32(i + 2))
    (folder / "current.npy").unlink(missing_ok=True)
    (folder / "current.npy").symlink_to(f"{turn}.npy")


def current(folder: Path, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / str(turn)).mkdir(exist_ok=True)
    np.save(folder / str(turn) / "scale.npy", np.float32(turn + 2))
    monkeypatch.chdir(folder / str(turn))


CASES = {
    "environment": Case("float(os.environ['MY_SCALE'])", FOUR, environment),
    "listing": Case("2.0", "[np.load(path) for path in sorted((HERE / 'data').iterdir())]", listing),
    "sound": Case("__import__('soundfile').read(HERE / 'scale.wav')[0]", FOUR, sound),
    "script": Case("torch.jit.load(str(HERE / 'scale.pt')).state_dict()['weight'].tolist()", FOUR, script),
    "link": Case("np.load(HERE / 'current.npy').tolist()", FOUR, link),
    "current folder": Case("np.load('scale.npy').tolist()", FOUR, current),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("name", CASES)
def test_a_change_is_seen_by_the_second_export(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    (tmp_path / "net.py").write_text(FILE.format(weights=case.weights, examples=case.examples), "utf-8")

    def export(turn: int) -> Bundle:
        case.change(tmp_path, turn, monkeypatch)
        return edgekit.export(
            str(tmp_path / "net.py"), runtime="onnxruntime", precision="fp32", out=tmp_path / "bundle"
        )

    first = export(0)
    evidence = first.manifest.evidence
    before = (first.path / "network.onnx").read_bytes()
    second = export(1)
    assert not second.reused
    if name == "listing":
        assert evidence and second.manifest.evidence
        assert second.manifest.evidence.agreement.of > evidence.agreement.of
    else:
        assert (second.path / "network.onnx").read_bytes() != before


@pytest.mark.parametrize("line", ["", "labels = ['a', 'b']\n"], ids=["weights", "labels"])
def test_what_the_file_draws_without_a_seed_is_the_same_each_time(line: str, tmp_path: Path) -> None:
    text = "import random, numpy as np, torch\ndef build(): return torch.nn.Linear(3, 2)\n"
    text += "def examples():\n    for i in range(4): yield torch.randn(1, 3) + random.random() + np.random.rand()\n"
    (tmp_path / "net.py").write_text(text, "utf-8")

    def export() -> Bundle:
        return edgekit.export(
            str(tmp_path / "net.py"), runtime="onnxruntime", precision="fp32", out=tmp_path / "bundle"
        )

    export()
    (tmp_path / "net.py").write_text(text + line, "utf-8")  # labels are no part of the program
    assert export().reused is not bool(line)
