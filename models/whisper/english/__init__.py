"""Sizes that know English alone."""
