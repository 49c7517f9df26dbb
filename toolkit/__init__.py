"""edgekit: export, quantize, verify and benchmark small pretrained models on the devices they are for.

The Python names match the command line: `fit`, `export`, `verify`, `load`, `package`, `benchmark`. Importing this
package imports nothing heavy; each name brings what it needs when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.benchmarking.benchmark import benchmark
    from edgekit.bundles.opened import load
    from edgekit.bundles.packaging import package
    from edgekit.estimation.fit import fit
    from edgekit.gate.verifying import verify
    from edgekit.pipeline.exporting import export

__version__ = "0.1.0"

__all__ = ["__version__", "benchmark", "export", "fit", "load", "package", "verify"]

_HOMES = {
    "benchmark": "edgekit.benchmarking.benchmark",
    "export": "edgekit.pipeline.exporting",
    "fit": "edgekit.estimation.fit",
    "load": "edgekit.bundles.opened",
    "package": "edgekit.bundles.packaging",
    "verify": "edgekit.gate.verifying",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgekit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
