"""The nouns of what is computed: models, their parts, what they cost and are judged by.

Nothing here computes, and nothing here imports numpy, torch or a runtime: these types are what the rooms hand to one
another, and what `edgekit list` can show without loading anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.core.costs import Costs
from edgekit.core.running import Predictor, Runner
from edgekit.core.values import Checkpoint, Recipe, Sample, Source, TensorSpec

__all__ = ["Axis", "Evaluation", "Identity", "Model", "Network", "Part", "Usage", "Weights", "serving"]


@dataclass(frozen=True)
class Axis:
    """A dynamic axis: the sizes it may have, and one to trace a graph with (no other axis should have the same).

    Where the pipeline only ever uses a few of them, `sizes` names these, the most usual one first.
    """

    least: int
    most: int
    example: int
    multiple: int = 1
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Part:
    """One graph of a model.

    Attributes:
        name: such as ``"encoder"``; also the stem of its file in a bundle.
        inputs, outputs: the graph's contract; an exporter must keep the names, dtypes and dynamic axes.
        axes: the dynamic axes of the inputs by name. Names that occur in outputs only need no entry.
        build: checkpoint -> the reference: a ``torch.nn.Module`` in fp32 for network exporters, or a `Runner` where
            there is no such module (a ready .tflite, a frontend in integers); None where the exporter's own runtime
            computes it (a language model in half precision).
        quantize: False for parts that must stay in float whatever the precision (a log-mel frontend).
        kind: what computes it: ``"network"``, or a frontend that exporters may have code of their own for
            (``"mfcc"``, ``"micro-frontend"``), with its `settings`; or a ``"language-model"``.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    axes: Mapping[str, Axis]
    build: Callable[[Checkpoint], Any] | None
    quantize: bool = True
    kind: str = "network"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """What a model is judged by.

    Attributes:
        metric: a name that `edgekit.bench.metrics` knows, such as ``"wer"``.
        worst: the absolute bar: the metric must not be worse than this (for WER: at most).
        drop: the largest allowed loss against fp32 on the same samples, in the metric's own unit.
        minimum: fewer samples than this make the verdict "undecided".
        also: metrics that are told beside it and decide nothing.
    """

    metric: str
    worst: float
    drop: float
    minimum: int
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """Who a model is.

    Attributes:
        name: registry name. family: such as ``"whisper"``. licence: SPDX identifier of the weights.
        licence_text: package-data file with the weights' licence, relative to the models room; another package's model
            gives an absolute path.
        terms: name of the terms of use that the user must accept before the weights are fetched ("" where there are
            none); the licence text holds them.
    """

    name: str
    family: str
    licence: str
    licence_text: str
    terms: str = ""


@dataclass(frozen=True)
class Weights:
    """Where a model's weights come from, and what they must look like.

    Attributes:
        sources: tried in order; each holds everything that the parts and `assets` need.
        prepare: (checkpoint, folder with the assets) -> facts: what a caller in any language must know (sample rate,
            special tokens, window sizes), JSON-able; raises BadInput for a checkpoint of another shape.
        assets: names of the source's files that go into the bundle as they are (a tokenizer). Where the user's own
            weights lack one, it comes from `sources`.
        hub: address of the weights on a hub (``hf://OWNER/REPO``), used where no source is pinned; what it gives is
            recorded as not pinned.
    """

    sources: tuple[Source, ...]
    prepare: Callable[[Checkpoint, Path], Mapping[str, Any]]
    assets: tuple[str, ...] = ()
    hub: str = ""


@dataclass(frozen=True)
class Network:
    """What a model computes, and how it is exported.

    Attributes:
        parts: the graphs, in the order in which data flows.
        parameters: number of weights, for `fit`; embeddings that are shared count once.
        ladder: recipes to fall back to, in order, when a gate refuses the recipe that was asked for.
        exporters: the only exporters that can hold its parts, where not every exporter can (a ready .tflite); else
            empty.
        variants: exporter -> the declaration that is used instead of this one for it, of the same name and task: where
            one format takes a ready network and another makes its own of float weights.
        options: (exporter, precision) -> options that a recipe has for this model unless the user says otherwise.
    """

    parts: tuple[Part, ...]
    parameters: int
    ladder: tuple[Recipe, ...] = ()
    exporters: tuple[str, ...] = ()
    variants: Mapping[str, Model] = field(default_factory=dict)
    options: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """What a model is for: its task, and what differs from the task's defaults.

    Attributes:
        name: of the task, a Hugging Face pipeline tag.
        golden: package-data file of the golden input, as `Identity.licence_text`.
        predictor: (parts by name, bundle folder, facts) -> Predictor, instead of the task's. Imports only what the
            ``run`` extra brings.
        labels: the names of the classes, where the task's samples have classes.
        samples: (data folder) -> labelled samples, instead of the task's, in a layout of its own (see docs/data.md).
        evaluation: None where no accuracy is defined.
        calibration: how many samples of a calibration folder are used, evenly spaced through it; 0: its first 8.
        operate: (`Prediction.score` of the accepted bundle for every sample of ``--data``, the truths, what the user
            asked for) -> facts of the operating point (a threshold, and what it costs), which the bundle keeps under
            ``operating_point`` for its predictor; raises BadInput for data that cannot tell. None: the model has no
            threshold.
    """

    name: str
    golden: str
    predictor: Callable[[Mapping[str, Runner], Path, Mapping[str, Any]], Predictor] | None = None
    labels: Sequence[str] = ()
    samples: Callable[[Path], Sequence[Sample]] | None = None
    evaluation: Evaluation | None = None
    calibration: int = 0
    operate: Callable[[Sequence[Any], Sequence[Any], Mapping[str, Any]], Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Model:
    """What is computed. One file in `models/` declares one of these as ``MODEL``."""

    identity: Identity
    weights: Weights
    network: Network
    task: Usage
    costs: Costs

    @property
    def name(self) -> str:
        """The registry name."""
        return self.identity.name


def serving(model: Model, exporter: str) -> Model:
    """The declaration of `model` that `exporter` works from (see `Network.variants`)."""
    return model.network.variants.get(exporter, model)
