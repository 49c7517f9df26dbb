"""Bundles on disk: the manifest, the files beside it, how they are staged, opened and packaged."""
