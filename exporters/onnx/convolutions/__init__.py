"""Static int8 for parts made of convolutions."""
