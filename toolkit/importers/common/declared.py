"""The declaration of an imported model: limits and costs that hold for any network."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgekit.core import Evaluation, Evidence, Facts, Identity, Model, Network, Part, Usage, Weights, Work
from edgekit.numerics import weighing
from edgekit.registry import find


@dataclass(frozen=True)
class Import:
    """What an importer knows of a source.

    Attributes:
        source: as the user wrote it; the model's name comes from it. importer: the importer's name.
        parts, ready: see `edgekit.core.Network`. variants: parts of each.
        hub, assets: see `edgekit.core.Weights`. facts: for callers, as its `prepare` gives them.
        parameters: number of weights.
        works: of each part, by declared shapes (`edgekit.numerics.layers.work`); they do not depend on the recipe.
        task: name of the task. golden: an absolute path, or "" for the task's golden input.
        extra_bytes: of assets (a tokenizer), for the estimate of the bundle's size.
        licence: SPDX identifier or words, "" if not stated. licence_text: absolute path of the text, or "".
    """

    source: str
    importer: str
    parts: tuple[Part, ...]
    hub: str
    parameters: int
    works: Sequence[Work]
    task: str
    facts: Facts = field(default_factory=dict)
    assets: tuple[str, ...] = ()
    golden: str = ""
    labels: tuple[str, ...] = ()
    evidence: Evidence | None = None
    evaluation: Evaluation | None = None
    ready: str = ""
    variants: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    licence: str = ""
    licence_text: str = ""
    extra_bytes: int = 0


def declare_import(imported: Import) -> Model:
    """The declaration of an import."""
    task = find("tasks", imported.task)
    golden = imported.golden or task.golden
    network = Network(parts=imported.parts, parameters=imported.parameters, ready=imported.ready)
    model = Model(
        identity=Identity(
            name=registry_name(imported.source),
            family="imported",
            licence=imported.licence or "not stated",
            licence_text=imported.licence_text,
            importer=imported.importer,
        ),
        weights=Weights(
            sources=(), prepare=lambda checkpoint, folder: imported.facts, assets=imported.assets, hub=imported.hub
        ),
        network=network,
        task=Usage(
            name=imported.task,
            golden=golden,
            labels=imported.labels,
            evaluation=imported.evaluation or task.evaluation,
            evidence=imported.evidence,
        ),
        costs=weighing.costs(tuple(imported.works), imported.extra_bytes, imported.extra_bytes),
    )
    variants = {
        name: replace(model, network=replace(network, parts=parts, ready=""))
        for name, parts in imported.variants.items()
    }
    return replace(model, network=replace(network, variants=variants))


def registry_name(source: str) -> str:
    """A name for bundles from a source: ``hf://ORG/My_Model`` -> ``my-model``, ``naïve.py:build`` -> ``naive``."""
    stem = re.sub(r"@[^/]*$", "", source.rstrip("/")).rpartition("/")[2]
    stem = re.sub(r"(\.(py|onnx|pt2|tflite|gguf))(:\w+)?$", "", stem)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "model"
