"""A robot of pybullet's own simulator, driven over pipes, in an environment of its own (policies-requirements.txt).

    python _robot_worker.py HalfCheetah

Each line of the input is JSON: ``{"seed": 3}`` begins an episode, a list of numbers is an action. Each answer is
``[observation, reward, over]``. Ends with the input.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import pybullet_envs

# The package's files import one another as if its folder were on the path.
sys.path.insert(0, str(Path(pybullet_envs.__file__).parent))
from pybullet_envs import gym_locomotion_envs

#: Steps of an episode, as the package registers them.
_STEPS = 1000


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the simulator prints; answers go where nobody else writes
    robot = getattr(gym_locomotion_envs, f"{sys.argv[1]}BulletEnv")()
    steps = 0
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, dict):
            robot.close()
            robot = getattr(gym_locomotion_envs, f"{sys.argv[1]}BulletEnv")()
            robot.seed(asked["seed"])
            steps, answer = 0, [robot.reset().tolist(), 0.0, False]
        else:
            with contextlib.redirect_stdout(sys.stderr):
                import numpy as np

                observation, reward, over, _ = robot.step(np.array(asked))
            steps += 1
            answer = [observation.tolist(), float(reward), bool(over) or steps == _STEPS]
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
