"""Graphs rewritten so that they compute the same."""
