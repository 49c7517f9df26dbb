"""Measurement: latency, memory, metrics, host description, statistics. Knows no model and no target."""
