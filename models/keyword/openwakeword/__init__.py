"""openWakeWord: a shared embedding, and small heads."""
