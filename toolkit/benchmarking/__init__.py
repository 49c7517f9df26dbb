"""Benchmarks of bundles: on this machine, on devices, on a pool, as a matrix."""
