"""What runtimes share."""
