"""Reports: their tables, their comparison, their page."""
