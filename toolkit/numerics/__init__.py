"""Parity, and what layers weigh and cost."""
