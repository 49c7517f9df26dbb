"""The scripts of `make train`: the same weights twice, pictures varied as they say, files as declarations pin them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "training"))
    threads = torch.get_num_threads()
    yield importlib.import_module
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def some(count: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 10
    grey = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
    for picture, label in zip(grey, labels, strict=True):
        picture[2 * label : 2 * label + 4] = 255
    return grey, labels


def test_the_same_weights_twice_that_have_learnt(scripts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fashion, script = scripts("fashion"), scripts("vit_fashion")
    monkeypatch.setattr(script, "_BATCH", 32)
    monkeypatch.setattr(script, "_EPOCHS", 8)
    made = []
    for _ in range(2):
        fashion.alone(1)
        network = script.train(*some(160))
        made.append(fashion.stored(network))
    assert all(np.array_equal(made[0][name], made[1][name]) for name in made[0])
    assert script.accuracy(network, *some(160)) > 0.5


def test_the_diffusion_network_learns(
    scripts: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    fashion, script = scripts("fashion"), scripts("ddpm_fashion")
    monkeypatch.setattr(script, "_BATCH", 16)
    monkeypatch.setattr(script, "_EPOCHS", 4)
    fashion.alone(1)
    network = script.train(np.zeros((160, 28, 28), np.uint8))
    losses = [float(line.rpartition(" ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert losses[-1] < losses[0] / 2 and not network.training
    pictures = script.sampled(network, 4)
    read = fashion.written(fashion.stored(network), tmp_path / "w.safetensors", 0.0)
    again = script.sampled(script.unet(read), 4)
    assert torch.allclose(pictures, again, atol=0.05), "the file holds the weights, whatever their order in memory"
    assert pictures.shape == (4, 1, 28, 28) and pictures.mean() < -0.5, "black pictures become black pictures"


def test_half_of_the_pictures_are_mirrored(scripts: Any) -> None:
    script = scripts("vit_fashion")
    torch.manual_seed(0)
    grey = torch.zeros(64, 1, 28, 28)
    grey[:, 0, 10, 5] = 1.0
    columns = [int(place[3]) for place in script.varied(grey).nonzero()]
    assert set(columns) == {5, 22} and 16 < columns.count(5) < 48


def test_rates_rise_and_fall(scripts: Any) -> None:
    fashion = scripts("fashion")
    rates = [fashion.rate(share / 100, 1.0) for share in range(100)]
    assert rates[0] < 0.02 and max(rates) == pytest.approx(1.0, abs=0.02) and rates[-1] < 0.01


def test_other_pictures_are_refused(scripts: Any, tmp_path: Path) -> None:
    import gzip

    for kind, header in (("images-idx3", bytes(16)), ("labels-idx1", bytes(8))):
        (tmp_path / f"train-{kind}-ubyte.gz").write_bytes(gzip.compress(header))
    with pytest.raises(SystemExit, match="does not hold the 60000 pictures"):
        scripts("fashion").pictures(tmp_path, "train")
