"""A stranger's Python code, run in a process of its own: see `edgekit.importers.common.foreign.process.run`."""

from edgekit.importers.common.foreign.process import Request, run

__all__ = ["Request", "run"]
