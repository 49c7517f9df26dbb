"""Libraries that are loaded at their first use: what only declares and answers from declarations stays light.

``from edgekit.common.lazy import np`` in place of an import in every function. A library that is not installed raises
ImportError where it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import torch
    from numpy.typing import NDArray

    #: Arrays of float32, of any shape.
    Floats = NDArray[np.float32]
else:
    NDArray = Floats = Any  # in annotations alone

    class _Lazy:
        """Stands for a library, and keeps what was asked of it."""

        def __init__(self, name: str) -> None:
            self.__name__ = name

        def __getattr__(self, name: str) -> Any:
            value = getattr(importlib.import_module(self.__name__), name)
            setattr(self, name, value)
            return value

    np, onnx, torch = map(_Lazy, ("numpy", "onnx", "torch"))

__all__ = ["Floats", "NDArray", "np", "onnx", "torch"]
