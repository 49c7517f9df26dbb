"""The policy of pybullet's examples as a torch module: three products with ReLU between, no state.

Coumans and Bai 2016-2019, "PyBullet"; the weights were trained for OpenAI's Roboschool (2017) and come as arrays in the
text of a Python file.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from edgekit.common.lazy import np
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.models.policy.shapes import HIDDEN, Robot

_LAYERS = ("dense1", "dense2", "final")


class Policy(nn.Module):
    """float32 observation [1, O] -> action float32 [1, A]. Not clipped: the robot's motors do that."""

    def __init__(self, robot: Robot) -> None:
        super().__init__()
        sizes = (robot.observations, *HIDDEN, robot.actions)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        x = observation
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        action: torch.Tensor = self.layers[-1](x)
        return action


def network(checkpoint: Checkpoint, robot: Robot) -> Policy:
    """The policy with its weights.

    Raises:
        BadInput: the file lacks an array, or one has another shape than this robot's.
    """
    policy = Policy(robot)
    for layer, name in zip(policy.layers, _LAYERS, strict=True):
        weights, bias = (_array(checkpoint, f"weights_{name}_{kind}") for kind in ("w", "b"))
        wanted = (layer.in_features, layer.out_features)
        if (weights.shape, bias.shape) != (wanted, wanted[1:]):
            raise BadInput(
                f"weights_{name}_w is {weights.shape}, with {bias.shape} of bias; this robot needs {wanted}."
            )
        layer.weight.data = torch.from_numpy(np.ascontiguousarray(weights.T, np.float32))
        layer.bias.data = torch.from_numpy(bias.astype(np.float32))
    return policy.eval()


def _array(checkpoint: Checkpoint, name: str) -> Any:
    if name not in checkpoint.tensors:
        raise BadInput(f"{checkpoint.path.name} has no array {name}; it is no policy of pybullet's examples.")
    return checkpoint.tensors[name]
