"""SmolLM2."""
