"""pybullet's policies: the network is the package's formula; other weights are refused; chips give the same actions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import edgekit
from edgekit.common.package_data import stream_of
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.policy.network import network
from edgekit.models.policy.shapes import HIDDEN, Robot
from edgekit.registry import find
from edgekit.sources import fetch
from edgekit.tasks.reinforcement_learning import NAME
from edgekit.tasks.resolved import evidence_of

POLICIES = ("half-cheetah-policy", "ant-policy", "hopper-policy")
ROBOT = Robot(5, 2)


def arrays(robot: Robot) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    sizes = (robot.observations, *HIDDEN, robot.actions)
    made = {}
    for name, inputs, outputs in zip(("dense1", "dense2", "final"), sizes, sizes[1:], strict=False):
        made[f"weights_{name}_w"] = rng.standard_normal((inputs, outputs)) / 8
        made[f"weights_{name}_b"] = rng.standard_normal(outputs) / 8
    return made


def checkpoint(tensors: dict[str, NDArray[np.float64]]) -> Checkpoint:
    return Checkpoint(Path("policy.py"), "literals", tensors, {}, {})


def formula(tensors: dict[str, NDArray[np.float64]], x: NDArray[np.float32]) -> NDArray[np.float64]:
    """As the package's `SmallReactivePolicy.act` has it."""
    hidden = np.maximum(x @ tensors["weights_dense1_w"] + tensors["weights_dense1_b"], 0)
    hidden = np.maximum(hidden @ tensors["weights_dense2_w"] + tensors["weights_dense2_b"], 0)
    action: NDArray[np.float64] = hidden @ tensors["weights_final_w"] + tensors["weights_final_b"]
    return action


def test_the_network_is_the_formula() -> None:
    tensors = arrays(ROBOT)
    x = np.random.default_rng(1).standard_normal((1, 5)).astype(np.float32)
    with torch.inference_mode():
        action = network(checkpoint(tensors), ROBOT)(torch.from_numpy(x)).numpy()
    assert np.abs(action - formula(tensors, x)).max() < 1e-5


def test_weights_of_another_robot_are_refused() -> None:
    with pytest.raises(BadInput, match=r"this robot needs \(6, 128\)"):
        network(checkpoint(arrays(ROBOT)), Robot(6, 2))
    lacking = arrays(ROBOT)
    del lacking["weights_final_b"]
    with pytest.raises(BadInput, match="no array weights_final_b"):
        network(checkpoint(lacking), ROBOT)


@pytest.mark.parametrize("name", POLICIES)
def test_recorded_observations_are_of_this_robot_and_in_one_half_only(name: str) -> None:
    model = find("models", name)
    evidence = evidence_of(model)
    assert evidence is not None
    recorded = evidence.samples(Path())
    size = model.network.parts[0].inputs[0].shape[1]
    assert len(recorded) == 64 and all(sample.input.shape == (10, size) for sample in recorded)
    halves = [{row.tobytes() for sample in half for row in sample.input} for half in (recorded[:32], recorded[32:])]
    assert not halves[0] & halves[1]
    assert np.stack([sample.input for sample in recorded]).std(axis=(0, 1)).max() > 0.3, "the robot moves"
    with stream_of(model.task.golden).open("rb") as stream, np.load(stream) as golden:
        assert np.array_equal(golden[NAME], np.concatenate([sample.input for sample in recorded[:3]]))


@pytest.mark.real
@pytest.mark.parametrize("name", POLICIES)
def test_the_published_weights(name: str) -> None:
    model = find("models", name)
    folder, _ = fetch(model.weights.sources)
    opened = read_checkpoint(folder)
    assert model.weights.prepare(opened, folder)["limit"] == 1.0
    module = model.network.parts[0].build(opened)
    assert sum(tensor.numel() for tensor in module.state_dict().values()) == model.network.parameters
    evidence = evidence_of(model)
    assert evidence is not None
    for sample in evidence.samples(Path())[::9]:
        with torch.inference_mode():
            action = module(torch.from_numpy(sample.input[:1])).numpy()
        assert np.abs(action - formula(dict(opened.tensors), sample.input[:1])).max() < 1e-5


@pytest.mark.real
@pytest.mark.parametrize("target", ["cortex-m3", "cortex-m4"])
def test_a_float_network_becomes_c_and_the_chip_acts_like_this_machine(target: str, tmp_path: Path) -> None:
    """Every action of the emulated chip is that of TensorFlow Lite Micro, bit for bit (`verify`)."""
    bundle = edgekit.export("hopper-policy", target, out=tmp_path / "b")
    part = bundle.manifest.parts[0]
    assert part.census["exact"].endswith("equal to TensorFlow Lite Micro, bit for bit")
    assert part.inputs[0].dtype == part.outputs[0].dtype == "float32"
    agreement = bundle.manifest.evidence.agreement
    assert (agreement.verdict, agreement.same) == ("undecided", 32)
    device = edgekit.verify(bundle.path)["device"]
    assert device["vectors"] == 50 and device["differing"] == 0
