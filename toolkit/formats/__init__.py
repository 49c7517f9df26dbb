"""Readers of foreign files: hostile until checked."""
