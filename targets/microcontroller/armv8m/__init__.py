"""Arm Cortex-M of the Armv8.1-M architecture, with Helium."""
