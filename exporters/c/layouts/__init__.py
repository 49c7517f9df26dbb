"""How weights lie in memory for each kind of processor."""
