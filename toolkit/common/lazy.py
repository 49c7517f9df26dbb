"""Libraries that are loaded at their first use: what only declares and answers from declarations stays light.

``from edgekit.common.lazy import np`` in place of an import in every function. A library that is not installed raises
ImportError where it is first used.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import coremltools as ct
    import numpy as np
    import onnx
    import onnxruntime
    import soundfile
    import torch
    import torch.nn.functional as F
    from numpy.typing import NDArray
    from onnx import numpy_helper
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    #: Arrays of float32, and of float64, of any shape.
    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
else:
    Floats = Doubles = Any  # in annotations alone

    class NDArray:
        """Stands for numpy's type of arrays in annotations and aliases."""

        def __class_getitem__(cls, _: Any) -> Any:
            return Any

    class _Lazy:
        """Stands for a library and asks it each time: what a test replaces there is replaced here."""

        def __init__(self, name: str) -> None:
            self.__name__, self._library = name, object()

        def __getattr__(self, name: str) -> Any:
            if self._library is not sys.modules.get(self.__name__):
                self._library = importlib.import_module(self.__name__)
            return getattr(self._library, name)

    np, torch, F = map(_Lazy, ("numpy", "torch", "torch.nn.functional"))
    onnx, numpy_helper, onnxruntime = map(_Lazy, ("onnx", "onnx.numpy_helper", "onnxruntime"))
    Image, ImageDraw, ImageFont, ImageOps = (
        _Lazy(f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont", "ImageOps")
    )
    ct, soundfile = map(_Lazy, ("coremltools", "soundfile"))

__all__ = ["Doubles", "F", "Floats", "Image", "ImageDraw", "ImageFont", "ImageOps", "NDArray"]
__all__ += ["ct", "np", "numpy_helper", "onnx", "onnxruntime", "soundfile", "torch"]
