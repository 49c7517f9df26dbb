"""LiteRT.js: .tflite files in a browser, computed by XNNPACK in WebAssembly.

It multiplies int8 with relaxed SIMD where the browser has that. On this machine the same files run in LiteRT. What a
browser makes of them, and how fast, is measured in one: ``bench --device chromium``.
"""

from __future__ import annotations

from edgekit.runtimes.litert import Litert


class LitertJs(Litert):
    """See `edgekit.core.Runtime`."""

    name = "litert-js"


RUNTIME = LitertJs()
