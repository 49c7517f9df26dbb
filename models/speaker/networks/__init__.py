"""The speaker networks."""
