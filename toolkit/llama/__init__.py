"""llama.cpp: its libraries, and their build from the pinned source."""
