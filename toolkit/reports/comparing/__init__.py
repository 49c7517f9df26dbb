"""Two reports, or two matrices: faster, slower or cannot tell."""
