"""The keys and values of prompts: in memory for the next turn, and on disk for the next process."""
