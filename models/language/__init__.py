"""Language models, as GGUF."""
