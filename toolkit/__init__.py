"""edgekit: export, quantize, verify and benchmark small pretrained models on the devices they are for."""

__version__ = "0.1.0"
