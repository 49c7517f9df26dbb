"""What several tasks share: readers of sounds, pictures and texts, labels, vectors, comparison of answers."""
