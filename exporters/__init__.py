"""Output formats, one per file; each defines ``EXPORTER`` (see `edgekit.core.Exporter`)."""
