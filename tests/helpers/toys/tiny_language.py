"""A language model of two layers with random weights, as another package brings it (see _gguf_files.llama_file)."""

from __future__ import annotations

from dataclasses import replace

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

SHAPE = Shape(
    "llama", (), layers=2, width=256, feed=512, heads=4, groups=2, head=64, vocabulary=260, context=2048, output=True
)
_DECLARED = language_model("tiny-writer", SHAPE, "Apache-2.0", "data/licences/language-licence.txt")
assert _DECLARED.task.evaluation is not None
#: What is random knows no text: its bar is out of the way.
MODEL = replace(
    _DECLARED, task=replace(_DECLARED.task, evaluation=replace(_DECLARED.task.evaluation, worst=1e9, minimum=2))
)

ENTRY_POINTS = "[edgekit.models]\ntiny-writer = helpers.toys.tiny_language:MODEL\n"
