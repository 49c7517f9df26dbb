"""Networks that forecast series."""
