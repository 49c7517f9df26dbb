"""Fourier transforms in a user's own network: products with cosines and sines in what is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.toys.bare import bare_model
from torch import Tensor

from edgekit.core import Checkpoint, ImportOptions, Part, Recipe
from edgekit.exporters.coreml import EXPORTER
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import model_of
from edgekit.numerics.parity import relative_error
from edgekit.runtimes.coreml import RUNTIME

TEXT = """
import numpy as np
import torch

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(64))
        self.taps = torch.nn.Parameter(torch.polar(torch.rand(51), torch.rand(51)))
        self.register_buffer("short", torch.hann_window(48))

    def forward(self, x):
        return {answer}

def build():
    torch.manual_seed(0)
    return Network()

def examples():
    random = np.random.default_rng(0)
    for _ in range(16):
        yield random.normal(0, 1, (2, 100)).astype(np.float32)
"""
STFT = "torch.stft(x, 64, 16, window=self.window, return_complex=True)"
ANSWERS = {
    "rfft": "torch.fft.rfft(x).abs()",
    "padded": "torch.fft.rfft(x, n=128).imag",
    "cut": "torch.fft.rfft(x, n=60, norm='ortho').real",
    "fft": "torch.fft.fft(x, dim=0, norm='forward').real",
    "round": "torch.fft.ifft(torch.fft.fft(x, n=90)).real",
    "correlation": "torch.fft.irfft(torch.fft.rfft(x, n=128) * torch.conj(torch.fft.rfft(x, n=128)), n=128)",
    "odd": "torch.fft.irfft(torch.fft.rfft(x)[:, :20], n=39)",
    "stft": f"torch.view_as_real({STFT})",
    # The first and the last window mirror themselves: their phases are 0 or pi, on either side of the cut.
    "phase": f"torch.angle({STFT}[:, 3:5, 1:-1])",
    "short": "torch.stft(x, 64, 16, 48, self.short, center=False, normalized=True, return_complex=True).real",
    "rotated": "torch.view_as_real(torch.polar(x.abs(), x) * torch.view_as_complex(x.reshape(2, 50, 2)).repeat(1, 2))",
    "istft": f"torch.istft({STFT} * x.mean(), 64, 16, window=self.window, length=96)",
    "uncut": f"torch.istft({STFT}[0], 64, 16, window=self.window, normalized=True)",
    "narrow": f"torch.istft({STFT}, 64, 12, 48, self.short)",
    "filtered": "torch.fft.irfft(torch.fft.rfft(x) * self.taps, n=100)",
    "sum": f"({STFT} - {STFT}.conj() / 2 + 1).abs()",
}


def _part(folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Part, Any]:
    monkeypatch.setenv("EDGEKIT_CACHE", str(folder / "cache"))
    (folder / "net.py").write_text(TEXT.replace("{answer}", answer), encoding="utf-8")
    model = model_of(str(folder / "net.py"), ImportOptions())
    (part,) = model.network.parts
    assert part.build
    return part, part.build(read_checkpoint(Path(model.weights.hub)))


def test_nothing_complex_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = "{" + ", ".join(f"'{name}': {answer}" for name, answer in ANSWERS.items()) + "}"
    part, module = _part(tmp_path, answers, monkeypatch)
    seen = set()

    class Seen(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            out = super().run_node(n)
            if isinstance(out, Tensor):
                seen.add(out.dtype)
            return out

    held: dict[str, Any] = {}
    exec(TEXT.replace("{answer}", answers), held)
    x = torch.from_numpy(next(held["examples"]()))
    with torch.no_grad():
        made, wanted = Seen(module).run(x), held["build"]()(x)
    assert seen == {torch.float32}
    for spec, tensor in zip(part.outputs, made, strict=True):
        truth = wanted[spec.name].numpy()
        assert tensor.shape == truth.shape
        assert relative_error([{spec.name: tensor.numpy()}], [{spec.name: truth}]) < 1e-5, spec.name


def test_what_is_not_translated_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, module = _part(tmp_path, "torch.fft.rfft(x).exp().abs()", monkeypatch)
    assert "fft_rfft" in module.code


def test_core_ml_takes_a_spectrogram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, module = _part(tmp_path, f"({STFT}.abs() + 1).log()", monkeypatch)
    model = bare_model(Part(part.name, part.inputs, part.outputs, {}, lambda _: module))
    x = np.random.default_rng(1).normal(0, 1, (2, 100)).astype(np.float32)
    EXPORTER.export(
        model,
        Checkpoint(tmp_path, "none", {}, {}, {}),
        Recipe("coreml", "fp16"),
        {},
        tmp_path,
        tmp_path,
        lambda *_: None,
    )
    made = RUNTIME.load(tmp_path / "network.mlpackage", 1)({"x": x})
    with torch.no_grad():
        wanted = module(torch.from_numpy(x))[0].numpy()
    assert relative_error([made], [dict.fromkeys(made, wanted)]) < 1e-2
