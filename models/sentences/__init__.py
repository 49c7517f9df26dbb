"""Networks that give a sentence a vector."""
