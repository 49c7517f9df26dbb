"""The report page: one HTML file without network requests."""
