"""The command line: ``edgekit VERB``."""

from edgekit.cli.command import main, run

__all__ = ["main", "run"]
