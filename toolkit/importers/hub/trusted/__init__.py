"""Models with code of their own, which the user trusts: it runs in a process of its own, and a graph comes out."""
