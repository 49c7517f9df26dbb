"""``net.py:build``: built and traced in a child, declared as a model, kept by what came out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import edgekit
from edgekit.core import Axis, ImportOptions, Model, TensorSpec
from edgekit.errors import BadInput, EdgekitError, Unsupported
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import inspect, model_of
from edgekit.tasks.common.pictures import open_image

HEAD = "import numpy as np\nimport torch\nfrom torch import nn\n"
LINEAR = HEAD + "def build(): return nn.Linear(3, 2)\ndef examples():\n    for i in range(8): yield torch.randn(1, 3)\n"

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a user's file; returns its path. The cache is the test's own."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))

    def call(text: str) -> str:
        (tmp_path / "net.py").write_text(text, encoding="utf-8")
        return str(tmp_path / "net.py")

    return call


def reference(model: Model) -> Any:
    (part,) = model.network.parts
    assert part.build is not None
    return part.build(read_checkpoint(Path(model.weights.hub)))


MANY = """
from typing import NamedTuple
class Out(NamedTuple):
    scores: torch.Tensor
    parts: dict
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.words, self.last = nn.Embedding(10, 8), nn.Linear(8, 4)
    def forward(self, image, tokens, times=2):
        x = torch.relu(self.norm(self.conv(image))).mean((2, 3)) + self.words(tokens).sum(1)
        return Out(self.last(x) * times, {"sum": x.sum(1), "note": "text"})
def make():
    torch.manual_seed(1)
    return Net().half()
def examples():
    for i in range(8):
        yield {"tokens": np.arange(i % 4 + 1)[None], "image": np.full((1, 3, 16, 16), i, np.float64)}
labels = ["a", "b", "c", "d"]
"""


def test_names_axes_evidence_and_labels_come_from_the_file(write: Write) -> None:
    model = model_of(write(HEAD + MANY) + ":make", ImportOptions())
    (part,) = model.network.parts
    assert part.inputs == (
        TensorSpec("image", "float32", (1, 3, 16, 16)),
        TensorSpec("tokens", "int64", (1, "tokens_1")),
    )
    assert [spec.name for spec in part.outputs] == ["scores", "parts_sum"]
    # The lengths of the examples are the axis's; torch takes sizes of 1 for fixed ones, so it is traced with more.
    assert (part.axes["tokens_1"].most, part.axes["tokens_1"].example >= 2) == (4, True)
    assert (model.name, model.identity.importer, model.task.name) == ("net", "python-file", "tensors")
    assert model.task.labels == ("a", "b", "c", "d")
    evidence = model.task.evidence
    assert evidence is not None
    assert not evidence.synthetic
    paths = [Path(sample.input) for sample in evidence.samples(Path())]
    assert len(paths) == 8
    with np.load(paths[3]) as arrays:
        assert sorted(arrays.files) == ["image", "tokens"]
        assert arrays["tokens"].tolist() == [[0, 1, 2, 3]]
    assert model.task.golden == str(paths[0])
    notes = model.weights.prepare(read_checkpoint(Path(model.weights.hub)), Path())["notes"]
    assert "weights of another precision are used as float32" in notes
    scores, total = reference(model)(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, dtype=torch.long))
    assert (scores.shape, total.shape, scores.dtype) == ((1, 4), (1,), torch.float32)


def test_the_reference_is_the_users_module_to_the_bit(write: Write) -> None:
    text = HEAD + "def build():\n    torch.manual_seed(3)\n    return nn.Sequential(nn.Linear(3, 5), nn.GELU())\n"
    model = model_of(write(text + "def examples():\n    for i in range(4): yield torch.randn(1, 3)\n"))
    torch.manual_seed(3)
    mine = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.GELU())
    x = torch.randn(1, 3)
    assert torch.equal(reference(model)(x)[0], mine(x))


def test_a_size_that_only_values_tell_stops_no_estimate(write: Write) -> None:
    net = "class Net(nn.Module):\n    def forward(self, x):\n        rows = torch.where(x.sum(1) > 0)[0]\n"
    net += "        return torch.zeros_like(x).index_add(0, rows, x[rows] @ x.T @ x)\n"
    examples = "def examples():\n    for i in range(4): yield torch.randn(5, 3)\n"
    model = model_of(write(HEAD + net + "def build(): return Net()\n" + examples))
    x = torch.tensor([[1.0, 2.0, 3.0], [-1.0, -2.0, 0.0], [0.5, 0.5, 0.5], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    kept = (x.sum(1) > 0).float()[:, None]
    assert torch.allclose(reference(model)(x)[0], kept * (x @ x.T @ x))


def test_a_second_time_it_runs_again_and_torch_is_not_loaded_here(write: Write, tmp_path: Path) -> None:
    path = write(LINEAR)
    first = model_of(path)
    code = "import sys\nfrom edgekit.importers.resolved import model_of\n"
    code += f"told = []\nmodel = model_of({path!r}, None, lambda what, done, total: told.append(what))\n"
    code += "assert any('running net.py' in what for what in told)\nprint(model.weights.hub)\n"
    code += "sys.exit('torch' in sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, first.weights.hub), done.stderr


def test_what_a_file_gave_long_ago_leaves_the_cache_and_what_it_gave_today_stays(write: Write) -> None:
    places = [Path(model_of(write(LINEAR.replace("2)", f"{n})"))).weights.hub).parents[1] for n in (2, 3)]
    assert all(place.is_dir() for place in places)
    os.utime(places[0], (1, 1))
    again = Path(model_of(write(LINEAR.replace("2)", "4)"))).weights.hub).parents[1]
    assert [place.is_dir() for place in (*places, again)] == [False, True, True]


def test_a_damaged_program_in_the_cache_is_written_anew(write: Write) -> None:
    file = Path(model_of(write(LINEAR)).weights.hub)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert Path(model_of(write(LINEAR)).weights.hub) == file
    assert file.read_bytes() == whole


def test_an_axis_is_dynamic_by_dynamic_and_others_follow(write: Write) -> None:
    text = (
        HEAD + "class Net(nn.Module):\n    def forward(self, tokens, mask):\n        return (tokens * mask).cumsum(1)\n"
    )
    text += "def build(): return Net()\ndef examples():\n"
    text += "    for i in range(4): yield np.ones((1, 6), np.float32), np.ones((1, 6), np.float32)\n"
    model = model_of(write(text), ImportOptions(axes={"tokens": (1, 64)}))
    (part,) = model.network.parts
    assert [spec.shape for spec in (*part.inputs, *part.outputs)] == [(1, "tokens")] * 3
    assert part.axes == {"tokens": Axis(1, 64, 6)}
    (output,) = reference(model)(torch.ones(1, 9), torch.ones(1, 9))
    assert output[0, -1] == 9
    with pytest.raises(BadInput, match="there is no axis 'words'") as caught:
        model_of(write(text), ImportOptions(axes={"words": (1, 64)}))
    assert caught.value.hint == "Axes: tokens_0, tokens_1, mask_0, mask_1."
    with pytest.raises(BadInput, match=r"leaves out the examples, whose sizes are 6"):
        model_of(write(text), ImportOptions(axes={"tokens_1": (8, 64)}))


def test_files_of_litert_cli_work_as_they_are(write: Write) -> None:
    text = HEAD + "def get_model(): return nn.Linear(3, 2)\ndef get_args(): return (torch.randn(1, 3),)\n"
    model = model_of(write(text))
    assert model.task.evidence is not None
    assert model.task.evidence.synthetic
    description = inspect(write(text), ImportOptions(), lambda what, done, total: None)
    assert (description.architecture, description.parameters) == ("Linear", 8)
    assert any("noise" in note for note in description.notes)


def test_fewer_than_four_examples_prove_nothing(write: Write) -> None:
    model = model_of(write(LINEAR.replace("range(8)", "range(3)")))
    assert model.task.evidence is not None
    assert model.task.evidence.synthetic
    assert len(model.task.evidence.samples(Path())) == 6


def test_preprocessing_is_said_not_to_ship(write: Write) -> None:
    text = (
        LINEAR.replace("yield torch.randn(1, 3)", "yield i")
        + "def preprocess(i): return np.full((1, 3), i, np.float32)\n"
    )
    model = model_of(write(text))
    facts = model.weights.prepare(read_checkpoint(Path(model.weights.hub)), Path())
    assert "does not ship" in facts["preprocessing"]
    json.dumps(facts)


def test_its_score_is_the_metric_where_it_declares_one(write: Write) -> None:
    plain = "def score(answers, truths): return [1.0] * len(answers)\n"
    assert model_of(write(LINEAR + plain)).task.evaluation is None
    declared = model_of(write(LINEAR + plain + 'score.better, score.drop = "higher", 0.02\n')).task.evaluation
    assert declared is not None
    assert declared.drop == 0.02


PICTURES = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3, 2)
    def forward(self, pixels):
        return self.last((pixels.float() / 255).mean((1, 2)))
def build(): return Net()
def examples():
    for i in range(8): yield np.full((1, 8, 8, 3), 30 * i, np.uint8)
"""


def test_a_classifier_of_pictures_has_its_tasks_contract(write: Write) -> None:
    options = ImportOptions(task="image-classification")
    model = model_of(write(HEAD + PICTURES + 'labels = ["cat", "dog"]\n'), options)
    facts = model.weights.prepare(read_checkpoint(Path(model.weights.hub)), Path())
    assert (facts["height"], facts["width"], facts["labels"]) == (8, 8, ["cat", "dog"])
    assert facts["activation"] == "softmax"
    # Its own examples calibrate and judge it, not a camera's photographs.
    evidence = model.task.evidence
    assert evidence and evidence.name.startswith("examples") and not evidence.synthetic
    shown = [open_image(sample.input)[0].getpixel((0, 0)) for sample in evidence.samples(Path())]
    assert shown == [(30 * i,) * 3 for i in range(8)] and open_image(model.task.golden)[0].size == (8, 8)
    soft = PICTURES.replace("(1, 2)))", "(1, 2))).softmax(1)")
    model = model_of(write(HEAD + soft), options)
    assert "activation" not in model.weights.prepare(read_checkpoint(Path(model.weights.hub)), Path())
    with pytest.raises(BadInput, match="3 labels for 2 classes"):
        model_of(write(HEAD + PICTURES + 'labels = ["cat", "dog", "emu"]\n'), options)
    with pytest.raises(BadInput, match="takes a picture's bytes"):
        model_of(write(LINEAR), options)
    with pytest.raises(Unsupported, match="no 'fill-mask'"):
        model_of(write(LINEAR), ImportOptions(task="fill-mask"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def build(): return 3\ndef examples(): yield 1\n", r"build\(\) gave int, not a torch\.nn\.Module"),
        ("def build(): raise ValueError('no such layer')\n", r"line 4: build\(\) raised ValueError: no such layer"),
        ("x = 1\n", r"has no function build\(\) or get_model\(\)"),
        (
            "class N(nn.Module):\n    def forward(self, x):\n        return x if x.sum() > 0 else -x\n"
            "def build(): return N()\ndef examples(): yield torch.randn(1, 4)\n",
            "line 6: forward\\(\\) decides by the values of its tensors",
        ),
        (
            "class N(nn.Module):\n    def forward(self, x):\n        return x + torch.rand(4)\n"
            "def build(): return N()\ndef examples(): yield torch.randn(1, 4)\n",
            r"net\.py: the network draws random numbers \(rand\)",
        ),
        (
            "class N(nn.Module):\n    def forward(self, x):\n        return 'text'\n"
            "def build(): return N()\ndef examples(): yield torch.randn(1, 4)\n",
            "gives str without a tensor in it",
        ),
        (
            "class N(nn.Module):\n    def forward(self, x):\n        return x * (2 if x.shape[1] == 3 else 3)\n"
            "def build(): return N()\ndef examples():\n    yield torch.randn(1, 3)\n    yield torch.randn(1, 4)\n",
            "does not allow every size of x_1",
        ),
        ("def build(): return nn.Linear(3, 2)\ndef examples(): yield torch.randn(1, 4)\n", "forward|reduction dim"),
        (
            "labels = 3\ndef build(): return nn.Linear(3, 2)\ndef examples(): yield torch.randn(1, 3)\n",
            "labels in net.py",
        ),
        (
            "def build():\n    net = nn.Linear(3, 2)\n    with torch.no_grad(): net.weight[0, 0] = float('nan')\n"
            "    return net\ndef examples(): yield torch.randn(1, 3)\n",
            "the weight 'weight' holds a value that is no number",
        ),
    ],
    ids=["no module", "raises", "no build", "decides", "random", "text", "one size", "shapes", "labels", "NaN"],
)
def test_a_file_that_cannot_be_traced_is_one_error_and_leaves_nothing(
    text: str, words: str, write: Write, tmp_path: Path
) -> None:
    with pytest.raises(EdgekitError, match=words) as caught:
        model_of(write(HEAD + text))
    assert caught.value.message.startswith(("net.py", "labels in net.py"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.py"]


def test_a_file_that_is_not_there_names_init(write: Write) -> None:
    with pytest.raises(BadInput, match="there is no file") as caught:
        model_of("nowhere/net.py:build")
    assert "edgekit init" in caught.value.hint


def test_outputs_that_are_inputs_weights_or_one_another_are_values_of_their_own(write: Write, tmp_path: Path) -> None:
    net = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    net += "        self.register_buffer('k', torch.arange(3.0))\n    def forward(self, x, flag):\n"
    net += "        y = torch.relu(x) * 2\n        return {'y': y, 'again': y, 'x': x, 'flag': flag, 'k': self.k}\n"
    examples = "def examples():\n    for i in range(4):\n"
    examples += "        yield {'x': torch.randn(2, 3), 'flag': torch.tensor([i > 1])}\n"
    source = write(HEAD + net + "def build(): return Net()\n" + examples)
    assert [spec.name for spec in model_of(source).network.parts[0].outputs] == ["y", "again", "x_out", "flag_out", "k"]
    bundle = edgekit.export(source, precision="fp32", out=tmp_path / "bundle")
    x, flag = np.float32([[1, -2, 3], [4, 5, -6]]), np.array([True])
    session = onnxruntime.InferenceSession(bundle.path / "network.onnx")
    names = [value.name for value in session.get_outputs()]
    held = dict(zip(names, session.run(None, {"x": x, "flag": flag}), strict=True))
    twice = np.maximum(x, 0) * 2
    truth = {"y": twice, "again": twice, "x_out": x, "flag_out": flag, "k": np.arange(3.0)}
    assert held.keys() == truth.keys()
    for name, wanted in truth.items():
        assert np.array_equal(held[name], wanted), name


def test_packed_lengths_are_refused_with_what_to_do(write: Write) -> None:
    net = (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.gru = nn.GRU(3, 4)\n"
    )
    net += "    def forward(self, x, n):\n"
    net += "        return self.gru(nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True))[1]\n"
    examples = "def examples():\n    for i in range(4): yield torch.randn(1, 5, 3), torch.tensor([i + 1])\n"
    with pytest.raises(BadInput) as refused:
        model_of(write(HEAD + net + "def build(): return Net()\n" + examples))
    assert "pad to one length" in refused.value.hint


@pytest.mark.parametrize("kind", ["half", "bfloat16"])
def test_a_network_in_half_precision_takes_its_own_examples(kind: str, write: Write) -> None:
    text = LINEAR.replace("Linear(3, 2)", f"Linear(3, 2).{kind}()").replace("randn(1, 3)", f"randn(1, 3).{kind}()")
    model = model_of(write(text))
    assert [spec.dtype for spec in model.network.parts[0].inputs] == ["float32"]
