"""Microcontrollers: one file a processor class."""
