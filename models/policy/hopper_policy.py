"""pybullet's hopper: a leg with three motors; it hops on a line."""

from __future__ import annotations

from edgekit.models.policy.family import declare_model
from edgekit.models.policy.shapes import Robot

MODEL = declare_model(
    "hopper-policy",
    Robot(15, 3),
    "enjoy_TF_HopperBulletEnv_v0_2017may.py",
    "d8f4b122df13d96a3fc8315dbc0de529c20e46a1bcfb98f3d956e15758dd9986",
    113_337,
    flash={"plain": 15_824, "dsp": 15_584, "helium": 13_696},
    ram={"plain": 192, "dsp": 448, "helium": 192},
)
