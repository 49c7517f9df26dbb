"""The search for the smallest recipe that is good enough: `--precision auto`."""
