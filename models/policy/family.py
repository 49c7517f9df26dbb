"""The declaration of a policy of pybullet's examples: all but the robot and where its weights are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.policy.shapes import Robot, policy_work
from edgekit.numerics import weighing
from edgekit.tasks.reinforcement_learning import stretches

_LICENCE = "data/licences/bullet-licence.txt"
#: The files are the same in every wheel; this one exists for every user, whatever machine it is fetched on.
_WHEEL = "pypi://pybullet@3.2.7/pybullet_envs/examples/{}?platform=manylinux2014_x86_64"
#: Steps of the golden input, and of the judged observations; bytes of a number among the reference's answers to these,
#: and of what else a bundle holds: the reference's outputs for the golden input, and hashes of what was judged.
_STEPS, _JUDGED, _NUMBER, _MORE = 30, 320, 6.3, 2_000
#: Of the evidence.
_EPISODES = 8
#: Layout of the C -> bytes of its firmware, measured.
_Bytes = Mapping[str, int]


def declare_model(
    name: str, robot: Robot, file: str, sha256: str, size: int, *, flash: _Bytes, ram: _Bytes
) -> core.Model:
    """The declaration of a robot's policy.

    Args:
        file: of the package's examples. sha256, size: of that file.
        flash, ram: layout of the C -> bytes that its firmware takes, measured.
    """
    piece = _WHEEL.format(file)
    observations, golden = (f"policy/observations/{name}{end}.npz" for end in ("", "-golden"))

    def build(checkpoint: core.Checkpoint) -> Any:
        from edgekit.models.policy.network import network

        return network(checkpoint, robot)

    def prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
        build(checkpoint)  # refuses other weights
        return {"observation": robot.observations, "action": robot.actions, "limit": 1.0}

    more = package_data.size(_LICENCE, golden) + round(_JUDGED * robot.actions * _NUMBER) + _MORE
    observation = core.TensorSpec("observation", "float32", (1, robot.observations))
    action = core.TensorSpec("action", "float32", (1, robot.actions))
    model = core.Model(
        identity=core.Identity(name=name, family="policy", licence="Zlib", licence_text=_LICENCE),
        weights=core.Weights(
            sources=(core.Source(piece, "3.2.7", "Zlib", (core.SourceFile("policy.py", sha256, size, (piece,)),)),),
            prepare=prepare,
        ),
        network=core.Network(
            parts=(
                # As near to fp32 as in blocks, whose size of 128 no layer is a multiple of: half the bytes.
                core.Part("network", (observation,), (action,), {}, build, int8="calls"),
            ),
            parameters=robot.parameters,
        ),
        task=core.Usage(
            name="reinforcement-learning",
            golden=golden,
            evidence=core.Evidence(
                f"observations of {name}",
                "Zlib",
                "64 stretches of 10 steps of the fp32 policy in pybullet's own simulator, of eight episodes, recorded "
                "for edgekit (tests/peers/compare_policies.py --record)",
                lambda folder: stretches(package_data.stream_of(observations), name, _EPISODES),
            ),
        ),
        costs=weighing.costs(policy_work(robot, _STEPS), more),
    )
    return replace(model, network=replace(model.network, variants={"integers": weighing.on_chips(model, flash, ram)}))
