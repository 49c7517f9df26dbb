"""llama.cpp: where its libraries are, and how they are built from the pinned source."""
