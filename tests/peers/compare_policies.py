"""Policies in pybullet's own simulator: reward of bundles beside the package's formula in numpy; and the recording of
the observations by which policies are calibrated and judged.

    python tests/peers/compare_policies.py --simulator ENV/bin/python BUNDLE... [--episodes 20] [--json FILE]
    python tests/peers/compare_policies.py --simulator ENV/bin/python --record half-cheetah-policy ant-policy ...

ENV: an environment with tests/peers/policies-requirements.txt. Episodes begin with the same seeds for all contestants.
Their rewards are chaotic: a change of 1e-7 in an action is another run. So the difference is told with an interval
(Student's, over episodes), beside the difference of two runs of the same network in float64 and float32.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.registry import find
from edgekit.sources import fetch

#: Policy -> the robot's name in the package.
ROBOTS = {"half-cheetah-policy": "HalfCheetah", "ant-policy": "Ant", "hopper-policy": "Hopper"}
WORKER = Path(__file__).parent / "_robot_worker.py"
OBSERVATIONS = Path(__file__).parents[2] / "models" / "policy" / "observations"
#: Recorded stretches of each half of the evidence: of four episodes each, none of them in both halves.
_STRETCHES, _STEPS, _FIRST, _SECOND = 32, 10, range(100, 104), range(200, 204)
#: Of the first half, the stretches of the golden input.
_GOLDEN = 3

Floats = NDArray[np.float64]
Act = Callable[[Floats], Floats]


class Robot:
    """A robot in a process of its own."""

    def __init__(self, python: str, name: str) -> None:
        self._process = subprocess.Popen(
            [python, str(WORKER), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, what: Any) -> tuple[Floats, float, bool]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        observation, reward, over = json.loads(self._process.stdout.readline())
        return np.array(observation), reward, over

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=60)


@contextmanager
def robot_of(python: str, policy: str) -> Iterator[Robot]:
    robot = Robot(python, ROBOTS[policy])
    try:
        yield robot
    finally:
        robot.close()


def formula(policy: str, dtype: type = np.float64) -> Act:
    """What the package's script computes, with its arrays."""
    folder, _ = fetch(find("models", policy).weights.sources)
    tensors = {name: array.astype(dtype) for name, array in read_checkpoint(folder).tensors.items()}
    layers = [(tensors[f"weights_{name}_w"], tensors[f"weights_{name}_b"]) for name in ("dense1", "dense2", "final")]

    def act(observation: Floats) -> Floats:
        x = observation.astype(dtype)
        for i, (weights, bias) in enumerate(layers):
            x = x @ weights + bias
            x = np.maximum(x, 0) if i < 2 else x
        return x.astype(np.float64)

    return act


def of_bundle(bundle: Path) -> Act:
    predictor = edgekit.load(bundle)

    def act(observation: Floats) -> Floats:
        return np.array(predictor.predict(observation.astype(np.float32)).details["actions"][0], np.float64)

    return act


def episode(robot: Robot, act: Act, seed: int) -> tuple[float, Floats]:
    """The sum of rewards, and the observations."""
    observation, total, over = *robot.ask({"seed": seed})[:2], False
    seen = []
    while not over:
        seen.append(observation)
        observation, reward, over = robot.ask(act(observation).tolist())
        total += reward
    return total, np.array(seen)


def record(python: str, policy: str) -> None:
    """Write the policy's observations: float16 [2 * 32, 10, observation], the first half for calibration."""
    stretches = []
    with robot_of(python, policy) as robot:
        for seeds in (_FIRST, _SECOND):
            for seed in seeds:
                _, seen = episode(robot, formula(policy), seed)
                count = _STRETCHES // len(seeds)
                starts = np.linspace(0, len(seen) - _STEPS, count).astype(int)
                stretches += [seen[start : start + _STEPS] for start in starts]
    OBSERVATIONS.mkdir(exist_ok=True)
    kept = np.array(stretches, np.float16)
    np.savez_compressed(OBSERVATIONS / f"{policy}.npz", observations=kept)
    golden = kept[:_GOLDEN].reshape(_GOLDEN * _STEPS, -1).astype(np.float32)
    np.savez(OBSERVATIONS / f"{policy}-golden.npz", observations=golden)


def difference(rewards: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    """Mean relative difference of paired rewards, and half of its 95 % interval."""
    from edgekit.bench.statistics.student import quantile

    gaps = [mine - other for mine, other in zip(rewards, reference, strict=True)]
    half = quantile(0.95, len(gaps) - 1) * stdev(gaps) / math.sqrt(len(gaps))
    return {"difference": fmean(gaps) / fmean(reference), "half": half / abs(fmean(reference))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", help="bundles, or with --record names of policies")
    parser.add_argument("--simulator", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.record:
        for policy in given.what:
            record(given.simulator, policy)
        return
    results = []
    for bundle in map(Path, given.what):
        policy = open_bundle(bundle).manifest.model.name
        contestants = {
            "float64": formula(policy),
            "float32": formula(policy, np.float32),
            bundle.name: of_bundle(bundle),
        }
        rewards: dict[str, list[float]] = {}
        with robot_of(given.simulator, policy) as robot:
            for name, act in contestants.items():
                rewards[name] = [episode(robot, act, seed)[0] for seed in range(given.episodes)]
        for name, values in rewards.items():
            gap = difference(values, rewards["float64"]) if name != "float64" else {"difference": 0.0, "half": 0.0}
            spread = stdev(values)
            print(
                f"{policy:22} {name:36} mean {fmean(values):9.1f}  spread {spread:7.1f}  least {min(values):9.1f}  "
                f"against float64 {gap['difference']:+.2%} ± {gap['half']:.2%}"
            )
            results.append({"policy": policy, "contestant": name, "rewards": values, **gap})
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
