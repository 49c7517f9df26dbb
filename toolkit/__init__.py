"""edgekit: export, quantize, verify and benchmark small pretrained models on the devices they are for.

The Python names match the command line: `list_`, `inspect`, `fit`, `export`, `verify`, `run`, `package`, `benchmark`,
`compare`, `report`, `doctor`; and `load`, which keeps a bundle open. `Limits` are those of
a search (`export(limits=)`). Importing this package imports nothing heavy: each
name loads its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.benchmarking.benchmark import benchmark
    from edgekit.bundles.opened import load
    from edgekit.bundles.packaging import package
    from edgekit.bundles.running import run
    from edgekit.catalogue import list_
    from edgekit.cli.doctor import doctor
    from edgekit.estimation.fit import fit
    from edgekit.gate.verifying import verify
    from edgekit.importers.resolved import inspect
    from edgekit.pipeline.exporting import export
    from edgekit.pipeline.search.limits import Limits
    from edgekit.reports.comparing.matrices import compare
    from edgekit.reports.reading import report

__version__ = "0.2.0"

_HOMES = {
    "Limits": "pipeline.search.limits",
    "benchmark": "benchmarking.benchmark",
    "compare": "reports.comparing.matrices",
    "doctor": "cli.doctor",
    "export": "pipeline.exporting",
    "fit": "estimation.fit",
    "inspect": "importers.resolved",
    "list_": "catalogue",
    "load": "bundles.opened",
    "package": "bundles.packaging",
    "report": "reports.reading",
    "run": "bundles.running",
    "verify": "gate.verifying",
}

__all__ = [
    "Limits",
    "__version__",
    "benchmark",
    "compare",
    "doctor",
    "export",
    "fit",
    "inspect",
    "list_",
    "load",
    "package",
    "report",
    "run",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgekit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"edgekit.{_HOMES[name]}"), name)
