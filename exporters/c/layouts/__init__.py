"""How weights lie in memory for each kind of processor."""

__all__ = ["LAYOUTS"]

LAYOUTS = ("plain", "dsp", "helium")
