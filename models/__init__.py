"""Models, one per file; each defines ``MODEL`` (see `edgekit.core.Model`). A family's code is in its folder."""
