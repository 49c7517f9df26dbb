"""The room where quantization is decided: each algorithm once, over what a format can make and run."""
