"""Every bundle that android takes, of the models with pinned weights and without terms of use."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.errors import OverBudget, Unsupported
from edgekit.estimation import budgets, recipes
from edgekit.registry import find, names, serving

#: Runtime -> the precisions that are tried.
PRECISIONS = {
    "onnxruntime": ("fp32", "fp16", "int8"),
    "litert": ("fp32", "fp16", "int8"),
    "llama-cpp": ("q4_0", "q4_k_m", "q8_0"),
}

#: Model, runtime, precision.
Cell = tuple[str, str, str]


def cells() -> Iterator[Cell]:
    target = find("targets", "android")
    for model in names("models"):
        declared = find("models", model)
        if not declared.weights.sources or declared.identity.terms:
            continue
        for runtime, precisions in PRECISIONS.items():
            for precision in precisions:
                try:
                    recipe = recipes.recipe_for(declared, target, precision, runtime)
                    budgets.check(serving(declared, recipe.exporter), target, recipe)
                except (Unsupported, OverBudget):
                    continue
                yield model, runtime, precision
