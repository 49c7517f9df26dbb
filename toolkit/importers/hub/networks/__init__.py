"""Transformers' networks as parts: arrays in, arrays out."""
