"""Web pages: onnxruntime-web, LiteRT.js and wllama in WebAssembly. Claims about browsers are measured in one."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Calls, Device, Facts, Measured, Recipe, Target, Trial
from edgekit.targets.web import npm, page
from edgekit.targets.web.chromium import browser
from edgekit.targets.web.npm_files import LITERT_JS, ONNXRUNTIME_WEB, WLLAMA


def _measure(trial: Trial) -> Measured:
    """What measuring in a browser needs is loaded when one is asked for."""
    from edgekit.targets.web.chromium import bench

    return bench.measure(trial)


def _prove(bundle: Path, calls: Calls) -> Facts:
    from edgekit.targets.web.chromium import bench

    return bench.prove(bundle, calls)


TARGET = Target(
    name="web",
    system="Chrome, Edge, Firefox or Safari with WebAssembly SIMD",
    processor="any",
    # LiteRT.js computes int8 several times as fast, where a network can be a .tflite (docs/web.md has the table).
    # Rows that are no multiple of 256 make q4_k_m larger than a visit may be: SmolLM2 135M has 106 MB, and 98 in q4_1.
    recipes={
        "*": Recipe("onnxruntime-web", "int8"),
        **dict.fromkeys(
            ("audio-classification", "feature-extraction", "image-classification"), Recipe("litert-js", "int8")
        ),
        "text-generation": Recipe("wllama", "q4_1"),
    },
    device=None,
    prove=_prove,
    devices={"chromium": Device(_measure, browser.state)},
    download=100_000_000,
    store="who visits a page for the first time waits for all of it (--download 200MB)",
    # Tabs of phones are killed at about so much, and memory of WebAssembly never comes back.
    ram=1_000_000_000,
    forms={"npm": npm.FORM, "page": page.FORM},
    runtimes={
        "onnxruntime-web": f"npm:onnxruntime-web@{ONNXRUNTIME_WEB.version}",
        "litert-js": f"npm:{LITERT_JS.package}@{LITERT_JS.version}",
        "wllama": f"npm:@wllama/wllama@{WLLAMA.version}",
    },
)
