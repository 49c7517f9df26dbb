"""The tasks of models: a folder per task, with its samples, its pipeline and its judge."""
