"""Keyword spotting and wake words."""
