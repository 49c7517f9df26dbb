"""Statistics of repeated and paired measurements."""
