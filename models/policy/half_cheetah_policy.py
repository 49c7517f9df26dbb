"""pybullet's half cheetah: a body, two legs, six motors; it runs on a line."""

from __future__ import annotations

from edgekit.models.policy.family import declare_model
from edgekit.models.policy.shapes import Robot

MODEL = declare_model(
    "half-cheetah-policy",
    Robot(26, 6),
    "enjoy_TF_HalfCheetahBulletEnv_v0_2017may.py",
    "75936151fca07fceca43f97ff57139554c60837cc734c855d9ad366cda5d5e69",
    128_354,
    flash={"plain": 17_456, "dsp": 17_936, "helium": 15_328},
    ram={"plain": 192, "dsp": 448, "helium": 192},
)
