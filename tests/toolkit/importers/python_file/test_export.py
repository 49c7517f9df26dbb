"""A Python file with a metric of its own, through the whole gate: one command, a verdict, and a bundle that stands
alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.bundles.opened import load
from edgekit.core import ImportOptions, Recipe
from edgekit.errors import BadInput, GateFailed
from edgekit.importers.resolved import model_of

pytestmark = pytest.mark.thorough

TEXT = """
import numpy as np
import torch

def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4))

def examples():
    random = np.random.default_rng(0)
    for _ in range(32):
        yield random.normal(0, 1, (1, 64)).astype(np.float32)

def score(answers, truths):
    return [float(answer.argmax() == truth) for answer, truth in zip(answers, truths, strict=True)]

def nothing(answers, truths):
    return [float("nan")] * len(answers)

better, worst, drop = "higher", 0.5, 0.05
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, and beside it the folder ``data`` with the network's own answers as truths."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(TEXT, encoding="utf-8")
    held: dict[str, object] = {}
    exec(TEXT, held)
    import torch

    network = held["build"]()  # type: ignore[operator]
    (tmp_path / "data").mkdir()
    random = np.random.default_rng(1)
    for i in range(40):
        x = random.normal(0, 1, (1, 64)).astype(np.float32)
        with torch.inference_mode():
            truth = int(network(torch.from_numpy(x)).argmax())
        np.savez(tmp_path / "data" / f"{i:02}.npz", input=x, truth=np.int64(truth))
    return tmp_path / "net.py"


def test_the_gate_judges_by_the_files_own_metric(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    bundle = edgekit.export(str(file), runtime="onnxruntime", precision="fp16", data=tmp_path / "data", out=out)
    gate, evidence = bundle.manifest.gate, bundle.manifest.evidence
    # 40 equal answers leave room for a loss of 9 points; the file allows 5.
    assert (gate.verdict, gate.samples, gate.value) == ("undecided", 40, 1.0)
    assert gate.metric.startswith("score (net.py ")
    assert evidence is not None
    assert (evidence.agreement.verdict, evidence.agreement.same, evidence.agreement.of) == ("undecided", 16, 16)
    assert edgekit.export(str(file), runtime="onnxruntime", precision="fp16", data=tmp_path / "data", out=out).reused
    asked = edgekit.verify(out, data=tmp_path / "data")["gate"]
    assert asked.verdict == "not measured" and "--metric FILE.py:NAME" in asked.reason
    again = edgekit.verify(out, data=tmp_path / "data", metric=f"{file}:score")["gate"]
    assert (again.value, again.samples) == (1.0, 40)
    file.unlink()  # the bundle needs nothing of the source
    prediction = load(out).predict(tmp_path / "data" / "00.npz")
    assert prediction.score["output"].shape == (1, 4)


def test_a_metric_that_reads_something_else_now_judges_anew(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import os\nfrom pathlib import Path\nbetter, drop = 'higher', 0.05\ndef near(answers, truths):\n"
        "    share = float(Path(__file__).with_name('share').read_text()) * float(os.environ['SHARE'])\n"
        "    return [share * (answer.argmax() == truth) for answer, truth in zip(answers, truths)]\n",
        encoding="utf-8",
    )

    def export(share: str, variable: str) -> tuple[bool, float | None]:
        (tmp_path / "share").write_text(share, encoding="utf-8")
        monkeypatch.setenv("SHARE", variable)
        asked = {"exporter": "onnx", "precision": "fp32", "data": tmp_path / "data", "out": tmp_path / "bundle"}
        bundle = edgekit.export(str(file), metric=f"{tmp_path / 'mine.py'}:near", **asked)  # type: ignore[arg-type]
        return bundle.reused, bundle.manifest.gate.value

    assert export("1", "1") == (False, 1.0)
    assert export("1", "1") == (True, 1.0)
    assert export("0.5", "1") == (False, 0.5)
    assert export("0.5", "0.5") == (False, 0.25)


def test_int8_of_a_network_of_linear_layers_alone(file: Path, tmp_path: Path) -> None:
    bundle = edgekit.export(str(file), runtime="onnxruntime", precision="int8", out=tmp_path / "bundle", fallback=False)
    assert bundle.manifest.parts[0].parity < 0.1


def test_a_metric_that_gives_no_number_leaves_nothing_behind(file: Path, tmp_path: Path) -> None:
    asked = {"exporter": "onnx", "precision": "fp16", "data": tmp_path / "data", "out": tmp_path / "bundle"}
    with pytest.raises(BadInput, match="which is not a number"):
        edgekit.export(str(file), metric=f"{file}:nothing", **asked)  # type: ignore[arg-type]
    assert not (tmp_path / "bundle").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "data", "net.py"]


def test_a_reference_below_the_bar_is_refused(file: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "data").iterdir():
        with np.load(path) as arrays:
            np.savez(path, input=arrays["input"], truth=np.int64(9))
    with pytest.raises(GateFailed, match="the fp32 reference itself misses the bar"):
        edgekit.export(
            str(file), runtime="onnxruntime", precision="fp16", data=tmp_path / "data", out=tmp_path / "bundle"
        )


def test_an_embedding_counts_as_weights_that_int8_makes_smaller(tmp_path: Path) -> None:
    text = (
        "import torch\nfrom torch import nn\n\n\ndef build():\n"
        "    return nn.Sequential(nn.Embedding(4000, 64), nn.Linear(64, 8)).eval()\n\n\n"
        "def examples():\n    yield {'input': torch.arange(16)[None]}\n"
        "    yield {'input': torch.arange(16)[None] + 9}\n"
    )
    (tmp_path / "words.py").write_text(text)
    model = model_of(f"{tmp_path / 'words.py'}:build", ImportOptions(task="tensors"))
    sizes = {precision: model.costs.size(Recipe("onnxruntime", precision)) for precision in ("fp32", "int8")}
    assert sizes["int8"] < 320_000 < 4 * 4000 * 64 < sizes["fp32"]
