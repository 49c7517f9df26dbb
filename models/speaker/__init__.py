"""Speaker embeddings and verification."""
