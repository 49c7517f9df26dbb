"""The runtimes: who executes the files of a format. A folder a runtime; the registry finds them."""
