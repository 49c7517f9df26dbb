"""What is done to weights alone, whatever computes with them: rotation, evening out, rounding, biases, and names."""
