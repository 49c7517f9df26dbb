"""PaddleOCR's networks for text in pictures."""
