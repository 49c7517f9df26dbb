"""The room of importers: each turns a kind of source that edgekit does not declare into a `Model`."""
