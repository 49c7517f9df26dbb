"""What a model is for: one folder a task, each with its samples, its answers and how they are judged."""
