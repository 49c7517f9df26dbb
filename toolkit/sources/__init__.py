"""Sources of weights: pinned, verified, cached; hostile until checked."""

from edgekit.sources.fetching import fetch, user_source

__all__ = ["fetch", "user_source"]
