"""Language models that write text: one network each, as a GGUF for llama.cpp.

A model is one small file (see models/language/smollm2_135m.py), a table of models/aliases.toml, or any .gguf or
Hugging Face folder (importers).

The reference is the model in half precision. Where the published weights are quantized already, it is what they say,
dequantized to half precision, or the published file itself where that would be too large; the bundle says which.

Non-goals: mixtures of experts, pictures, tools, more than one conversation at a time.
"""

from __future__ import annotations

from typing import Any, Literal

from edgekit import core
from edgekit.errors import BadInput
from edgekit.formats.gguf.shapes import Shape

#: How SPDX writes the name of a licence that it has none for.
GEMMA = "LicenseRef-Gemma"

#: The largest perplexity, and the largest KL divergence from the reference in nats a token.
EVALUATION = core.Evaluation("perplexity", worst=100.0, drop=0.05, minimum=8)
#: Tokens of prompt and answer together where nobody asks for another number.
CONTEXT = 4096
#: Bytes of the process: the interpreter, numpy and llama.cpp, and the vocabulary's tables, a token; measured.
_PROCESS, _WORD = 55_000_000, 270
#: Of what lies beside the file: texts, the golden prompt and what the reference made of it; measured.
_BESIDE = 30_000


def language_model(
    name: str,
    shape: Shape,
    licence: str,
    licence_text: str,
    *,
    sources: tuple[core.Source, ...] = (),
    hub: str = "",
    reference: Literal["f16", "source"] = "f16",
    terms: str = "",
    assets: tuple[str, ...] = (),
    importer: str = "",
    note: str = "",
) -> core.Model:
    """The declaration of a model.

    Args:
        licence_text: package-data file. sources: pinned ones. hub: address where none can be pinned.
        reference: what an already quantized checkpoint is compared with: itself in half precision, or as it is.
        terms: name of the terms of use that must be accepted first, if there are any. assets: files that travel along.
        importer: name of the importer that it comes from, "" for a declared model. note: see `Identity`.
    """
    tokens = core.TensorSpec("tokens", "int32", ("tokens",))
    logits = core.TensorSpec("logits", "float32", ("tokens", shape.vocabulary))
    axes = {"tokens": core.Axis(1, shape.context, 64)}
    return core.Model(
        identity=core.Identity(name, "language", licence, licence_text, terms=terms, importer=importer, note=note),
        weights=core.Weights(
            sources=sources, assets=assets, prepare=lambda checkpoint, folder: _facts(checkpoint, shape), hub=hub
        ),
        network=core.Network(
            parts=(
                core.Part(
                    "network", (tokens,), (logits,), axes, None, True, "language-model", {"reference": reference}
                ),
            ),
            parameters=shape.parameters,
            ready="gguf",
        ),
        task=core.Usage(name="text-generation", golden="data/golden/golden-prompt.txt", evaluation=EVALUATION),
        costs=core.Costs(
            size=lambda recipe: shape.file(recipe.precision) + _BESIDE,
            memory=lambda recipe: _memory(shape, recipe),
            work=lambda recipe: shape.works(recipe.precision),
        ),
    )


def _memory(shape: Shape, recipe: core.Recipe) -> int:
    """Peak RAM of an answer: weights, keys and values of the whole context, buffers, the process itself."""
    context = min(int(recipe.options.get("context", CONTEXT)), shape.context)
    held = shape.file(recipe.precision) + shape.laid_out(recipe.precision)
    return held + shape.cache(context) + shape.buffers(context) + _PROCESS + _WORD * shape.vocabulary


def _facts(checkpoint: core.Checkpoint, shape: Shape) -> core.Facts:
    """What a caller must know. Raises BadInput for a checkpoint of another model, or without its tokenizer."""
    header = _header(checkpoint)
    wanted = {"layers": shape.layers, "width": shape.width}
    if header["architecture"] not in (shape.architecture, *shape.names):
        raise BadInput(
            f"{checkpoint.path.name} holds a model of the architecture {header['architecture']!r}; "
            f"this model is {shape.architecture!r}.",
            hint="Export it under the name of the model that it is: edgekit list models",
        )
    if different := [name for name, value in wanted.items() if header[name] != value]:
        name = different[0]
        raise BadInput(
            f"{checkpoint.path.name} has {name} {header[name]}; this model has {wanted[name]}.",
            hint="Export it under the name of the model that it is: edgekit list models",
        )
    if not header["tokenizer"]:
        raise BadInput(f"{checkpoint.path.name} has no tokenizer, and nothing else can tell what its tokens mean.")
    return {"architecture": shape.architecture, "context": min(CONTEXT, shape.context), "trained": shape.context}


def _header(checkpoint: core.Checkpoint) -> dict[str, Any]:
    config = checkpoint.config
    if checkpoint.format == "gguf":
        kind = config.get("general.architecture")
        return {
            "architecture": kind,
            "layers": config.get(f"{kind}.block_count"),
            "width": config.get(f"{kind}.embedding_length"),
            "tokenizer": "tokenizer.ggml.model" in config,
        }
    if checkpoint.format in ("safetensors", "pytorch") and checkpoint.path.is_dir():
        files = ("tokenizer.json", "tokenizer.model")
        return {
            "architecture": config.get("model_type"),
            "layers": config.get("num_hidden_layers"),
            "width": config.get("hidden_size"),
            "tokenizer": any((checkpoint.path / name).is_file() for name in files),
        }
    raise BadInput(
        f"{checkpoint.path.name} is neither a GGUF nor a Hugging Face folder.", hint="Give such a path: --weights PATH"
    )
