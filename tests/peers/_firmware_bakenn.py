"""A .tflite to C by bakenn. Run by the interpreter of bakenn's own environment; imports nothing of edgekit.

    python _firmware_bakenn.py MODEL.tflite OUT portable|optimized|cmsis-nn portable32|cortex-m4

writes bakenn's files into OUT and prints one line of JSON: {"version", "prefix", "kernels"}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bakenn

#: Path -> options. By default bakenn takes the portable kernels; the others are opted into, as its documentation says.
_PATHS = {
    "portable": {},
    "optimized": {"kernel_policy": bakenn.KernelPolicy.STATIC_PRIORITY},
    "cmsis-nn": {"kernel_policy": bakenn.KernelPolicy.STATIC_PRIORITY, "enable_cmsis_nn": True},
}


def main(model: str, out: str, path: str, target: str) -> None:
    """Raises what bakenn raises; the caller takes the last line."""
    options = bakenn.CBackendOptions(target=bakenn.resolve_target(target), **_PATHS[path])
    bakenn.compile_tflite(model, out, name="model", backend_options=options)
    prefix = "bknn_model"
    manifest = json.loads((Path(out) / f"{prefix}_manifest.json").read_text(encoding="utf-8"))
    kernels = sorted(set(_implementations(manifest)))
    print(json.dumps({"version": bakenn.__version__, "prefix": prefix, "kernels": kernels}))


def _implementations(node: object) -> list[str]:
    """Every value of a key "implementation", wherever the manifest has it."""
    if isinstance(node, dict):
        own = [node["implementation"]] if isinstance(node.get("implementation"), str) else []
        return own + [found for value in node.values() for found in _implementations(value)]
    return [found for value in node for found in _implementations(value)] if isinstance(node, list) else []


if __name__ == "__main__":
    main(*sys.argv[1:])
