"""GGUF for llama.cpp: a language model as one file, from 32 down to 2 bits per weight.

From a Hugging Face folder (converted, `convert.py`) or from a .gguf, quantized already or not (`export.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core import Artifact, Checkpoint, Model, Progress, Recipe
from edgekit.exporters.common import options
from edgekit.exporters.common.writer import Request, Writer
from edgekit.formats.gguf import FILE_TYPES
from edgekit.llama import library

if TYPE_CHECKING:
    from edgekit.runtimes.llama_cpp.runner import LlamaRunner

__all__ = ["EXPORTER", "GgufExporter"]


#: Types that an embedding may be given of its own, the largest first.
EMBEDDINGS = ("q8_0", "q6_k", "q5_1", "q5_0", "q4_1", "q4_0")
#: Types that a search tries, and that follow one that is refused.
LADDER = ("iq3_xxs", "iq4_xs", "q4_0", "q4_k_m", "q5_k_m", "q6_k", "q8_0", "f16")
#: How weights are rounded: by the inputs of each matrix on the calibration text, or by llama.cpp's own quantizer.
ROUNDINGS = ("inputs", "llama.cpp")
#: Weights up to which a default rounds by inputs: at three times as many it takes more than half an hour.
_MOST = 500_000_000
_OPTIONS = {
    "chunks": options.number,
    "context": options.number,
    "embedding": options.values(*EMBEDDINGS),
    "rounding": options.values(*ROUNDINGS),
}


class GgufExporter(Writer):
    """See `edgekit.core.Exporter`. Precisions are llama.cpp's own, the largest first. Options of a recipe:

    ``chunks``
        how many chunks of 512 tokens of the calibration text the importance matrix is made of; else 64, evenly spaced.
    ``embedding``
        a type of the embedding's own, such as "q5_1"; of a source that has the precision already, all other matrices
        then stay as they are.
    ``rounding``
        "inputs" (the default up to 500 million weights): where there is calibration text, each matrix is rounded by
        what it is multiplied with.
        In precisions that mix types, each gets its type by what it loses (`edgekit.exporters.gguf.rounding`); from 4.25
        bits on, and without ``embedding``. "llama.cpp": its own quantizer, with an importance matrix.
    ``context``
        tokens that the app will have room for: counted in the model's estimate of RAM, and no business of the file's.
    """

    name = "gguf"
    precisions = tuple(FILE_TYPES)
    extra = "slm"
    #: The last two where a folder of Hugging Face is converted.
    distributions = ("llama-cpp-python", "numpy", "torch", "transformers")
    doctor = "export language models (gguf)"
    takes = ("gguf",)
    rules = _OPTIONS

    def write(self, request: Request) -> list[Artifact]:
        """Write ``PART.gguf`` for the model's one part.

        Calibration of a part is a list of ``{"tokens": int32 [n]}``: the golden prompt, then whole texts. With texts,
        weights are rounded by them (``rounding``); types below 3.5 bits need them.

        Raises:
            Unsupported: a kind of weights that is not possible. BadInput: too little
                calibration text, or none where the precision needs it. ExportFailed: llama.cpp refused.
        """
        model, recipe = request.model, request.recipe
        chunks, embedding = recipe.options.get("chunks", 64), str(recipe.options.get("embedding", ""))
        from edgekit.exporters.gguf import export as gguf_export

        rounding = recipe.options.get("rounding", ROUNDINGS[model.network.parameters > _MOST])
        wish = gguf_export.Wish(recipe.precision, chunks, embedding, rounding)
        return gguf_export.export(request, wish)

    def ladder(self, model: Model, recipe: Recipe) -> Sequence[Recipe]:
        """The usual types, the smallest first."""
        return [replace(recipe, precision=precision, options={}) for precision in LADDER]

    def candidates(self, model: Model, recipe: Recipe, size: int | None = None) -> Sequence[Recipe]:
        """Those of the ladder, the smallest first."""
        return sorted(self.ladder(model, recipe), key=lambda recipe: model.costs.size(recipe))

    def recipes_for_quantized(self, model: Model, checkpoint: Checkpoint, recipe: Recipe) -> Sequence[Recipe]:
        """For a quantized .gguf that the recipe would not make smaller: the file as it is. To round a part of it again
        changes what it says, and saves little."""
        from edgekit.exporters.gguf import export as gguf_export

        kept = gguf_export.quantized_precision(checkpoint)
        if not kept or (kept != recipe.precision and model.costs.size(recipe) < gguf_export.size(checkpoint)):
            return ()
        return (replace(recipe, precision=kept),)

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """What is no language model."""
        is_language_model = [part.kind for part in model.network.parts] == ["language-model"]
        return "" if is_language_model else "a .gguf holds a whole language model, and this model is none"

    def reference(self, model: Model, checkpoint: Checkpoint, work: Path, progress: Progress) -> dict[str, LlamaRunner]:
        """The model that an export is compared with, loaded, by the part's name.

        The part's setting ``reference`` says which: "f16" (bf16 where the weights are), dequantized where they are
        quantized; or "source", the user's .gguf itself.
        """
        from edgekit.exporters.gguf import export as gguf_export

        return gguf_export.reference(model, checkpoint, work, progress)

    def state(self) -> tuple[bool, str, str]:
        """The libraries must be of the bindings' version, too."""
        return library.state()


EXPORTER = GgufExporter()
