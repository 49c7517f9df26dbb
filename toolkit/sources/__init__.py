"""Sources of weights: pinned, verified, cached; hostile until checked."""

from edgekit.sources.fetching import cache_folder, fetch, user_source

__all__ = ["cache_folder", "fetch", "user_source"]
