"""Silero VAD's network: a model of its own, and the detector of speech in front of others."""
