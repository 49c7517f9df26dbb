"""MediaPipe's networks for faces, persons, hands and bodies."""
