"""The machine: its facts, its memory, its limits."""
