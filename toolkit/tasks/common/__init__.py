"""What several tasks share: sounds and pictures as people give them."""
