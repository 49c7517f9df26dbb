"""Arm Cortex-M of the Armv7-M and Armv7E-M architectures."""
