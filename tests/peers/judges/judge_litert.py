"""LiteRT, by its own package: a .tflite of edgekit's beside fp32, one of a firmware beside the firmware's C."""

from __future__ import annotations

from importlib.metadata import version

from asked import answer, called

from edgekit.exporters.litert import EXPORTER

NAME = "LiteRT"
WHAT = "ai-edge-litert {version}, native. Bundles of its own form are compared with fp32, for it runs them here anyway"
FORMS = ("android-litert", "cortex-m55")
FILES = (".tflite",)
TIMEOUT = 300

if __name__ == "__main__":
    answer(version("ai-edge-litert"), lambda question: called(EXPORTER.load(question.file, 1), question), own="litert")
