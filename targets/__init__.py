"""Destinations, one per file; each defines ``TARGET`` (see `edgekit.core.Target`)."""
