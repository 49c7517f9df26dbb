"""pybullet's ant: four legs, eight motors; it walks in a plane."""

from __future__ import annotations

from edgekit.models.policy.family import declare_model
from edgekit.models.policy.shapes import Robot

MODEL = declare_model(
    "ant-policy",
    Robot(28, 8),
    "enjoy_TF_AntBulletEnv_v0_2017may.py",
    "e55e903451da22807d759218d80f59eb5459a40a2406bca7bd0ad479fa34ad17",
    132_208,
    flash={"plain": 17_856, "dsp": 17_312, "helium": 15_728},
    ram={"plain": 192, "dsp": 448, "helium": 192},
)
