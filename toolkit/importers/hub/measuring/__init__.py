"""What only torch and transformers can tell of a plan, before any weights are there."""
