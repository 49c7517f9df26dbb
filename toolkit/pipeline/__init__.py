"""The export, read top to bottom."""
