"""wllama: .gguf files in a browser, computed by llama.cpp in WebAssembly.

On this machine the same files run in llama.cpp itself. What a browser makes of them, and how fast, is measured in one:
``bench --device chromium``.
"""

from __future__ import annotations

from edgekit.runtimes.llama_cpp import LlamaCpp


class Wllama(LlamaCpp):
    """See `edgekit.core.Runtime`."""

    name = "wllama"
    holds = "mapped"


RUNTIME = Wllama()
