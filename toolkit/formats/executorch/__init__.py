"""Readers of ExecuTorch programs (.pte) and of XNNPACK's blobs inside them."""
