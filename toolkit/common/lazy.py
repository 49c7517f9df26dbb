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
    from PIL import Image, ImageDraw

    #: Arrays of float32, and of float64, of any shape.
    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
else:
    NDArray = Floats = Doubles = Any  # in annotations alone

    class _Lazy:
        """Stands for a library, and keeps what was asked of it."""

        def __init__(self, name: str) -> None:
            self.__name__ = name

        def __getattr__(self, name: str) -> Any:
            value = getattr(importlib.import_module(self.__name__), name)
            setattr(self, name, value)
            return value

    np, onnx, torch = map(_Lazy, ("numpy", "onnx", "torch"))
    Image, ImageDraw = map(_Lazy, ("PIL.Image", "PIL.ImageDraw"))

__all__ = ["Doubles", "Floats", "Image", "ImageDraw", "NDArray", "np", "onnx", "torch"]
