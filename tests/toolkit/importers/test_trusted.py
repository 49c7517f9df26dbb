"""Models with code of their own: refused, or run in a process of its own when the user trusts them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from edgekit.core import ImportOptions
from edgekit.errors import BadInput, EdgekitError, Unsupported
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import model_of
from edgekit.registry import find
from edgekit.runtimes.torch.runner import reference_of

pytestmark = pytest.mark.thorough

CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel

class OwnConfig(PretrainedConfig):
    model_type = "own"
    def __init__(self, vocab_size=50, width=8, **more):
        self.vocab_size, self.width = vocab_size, width
        super().__init__(**more)

class OwnModel(PreTrainedModel):
    config_class = OwnConfig
    def __init__(self, config):
        super().__init__(config)
        self.words = torch.nn.Embedding(config.vocab_size, config.width)
        self.post_init()
    def forward(self, input_ids, attention_mask):
        {line}
        hidden = self.words(input_ids) * attention_mask[:, :, None]
        return {{"vector": hidden.sum(dim=1)}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with code of its own."""
    config = {
        "model_type": "own",
        "architectures": ["OwnModel"],
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"},
        "vocab_size": 50,
        "width": 8,
        "max_position_embeddings": 16,
    }
    words = np.random.default_rng(3).standard_normal((50, 8)).astype(np.float32)
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    (tmp_path / "own.py").write_text(CODE.format(line="pass"), "utf-8")
    safetensors.numpy.save_file({"words.weight": words}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


def refused(folder: Path, **options: object) -> EdgekitError:
    with pytest.raises(EdgekitError) as failure:
        model_of(str(folder), ImportOptions(**options))  # type: ignore[arg-type]
    return failure.value


def test_code_is_not_run_without_trust(own: Path) -> None:
    (own / "own.py").write_text("raise SystemExit('it ran')", "utf-8")
    failure = refused(own)
    assert isinstance(failure, BadInput)
    assert "auto_map" in failure.message
    assert "--trust-code" in failure.hint
    with pytest.raises(BadInput, match="code of its own"):
        find("importers", "hub").inspect(str(own), ImportOptions(), lambda *_: None)


def test_trusted_code_becomes_a_graph(own: Path) -> None:
    model = model_of(str(own), ImportOptions(trust=True))
    assert model.task.name == "tensors"
    (part,) = model.network.parts
    assert [spec.shape for spec in part.inputs] == [(1, 16), (1, 16)]
    assert part.build is not None
    runner = reference_of(part, part.build(read_checkpoint(Path(model.weights.hub))))
    ids = np.arange(16, dtype=np.int64)[None]
    feeds = dict(zip([spec.name for spec in part.inputs], (ids, np.ones_like(ids)), strict=True))
    words = safetensors.numpy.load_file(own / "model.safetensors")["words.weight"]
    (vector,) = runner(feeds).values()
    np.testing.assert_allclose(vector[0], words[:16].sum(axis=0), rtol=1e-5, atol=1e-6)
    described = find("importers", "hub").inspect(str(own), ImportOptions(trust=True), lambda *_: None)
    assert (described.architecture, described.tasks) == ("OwnModel", ("tensors",))
    assert isinstance(refused(own, trust=True, task="fill-mask"), Unsupported)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "network"),
        ("open('/tmp/edgekit-own-code', 'w')", "write"),
        ("raise ValueError('no such luck')", "no such luck"),
    ],
)
def test_trusted_code_that_misbehaves(own: Path, line: str, message: str) -> None:
    (own / "own.py").write_text(CODE.format(line=line), "utf-8")
    failure = refused(own, trust=True)
    assert isinstance(failure, BadInput)
    assert message in failure.message
