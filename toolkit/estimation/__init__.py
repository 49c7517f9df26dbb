"""What `edgekit fit` says before any download."""
