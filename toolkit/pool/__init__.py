"""A pool of machines (Dask): its client, and files that travel to it."""
