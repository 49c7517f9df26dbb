"""Types of models: a model, its parts, its weights and its evaluation.

Nothing here computes, and nothing here imports numpy, torch or a runtime: the rooms exchange these types, and
`edgekit list` can show them without loading anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgekit.core.costs import Costs
from edgekit.core.running import Predictor, Runner
from edgekit.core.values import Checkpoint, Evidence, Facts, Sample, Source, TensorSpec


@dataclass(frozen=True)
class Axis:
    """A dynamic axis: its range of sizes, and an example to trace a graph with (no other axis should have the same).

    If the pipeline uses only a few sizes, `sizes` lists them, the most usual first. `fixed` is the size of a format
    that has no dynamic axes, if the pipeline can do with one. Inputs may be made longer along the axis where `padded`
    says with which value (input -> value): what was there before gets the same answers.
    """

    least: int
    most: int
    example: int
    multiple: int = 1
    sizes: tuple[int, ...] = ()
    fixed: int | None = None
    padded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A graph of a model.

    Attributes:
        name: such as ``"encoder"``; also the stem of its file in a bundle.
        inputs, outputs: the graph's contract; an exporter must keep the names, dtypes and dynamic axes.
        axes: the dynamic axes of the inputs by name. Names that occur in outputs only need no entry.
        build: checkpoint -> the reference: a ``torch.nn.Module`` in fp32 for network exporters, or a `Runner` where
            there is no such module (a ready .tflite, a frontend in integers); None if the exporter's own runtime
            computes it (a language model in half precision).
        quantize: False for parts that must stay in float whatever the precision (a log-mel frontend).
        int8: what is quantized of its products, where a measure of one call does not tell: ``"weights"`` alone,
            ``"calls"`` (activations, too, with the ranges of each call), ``""`` leaves it to the format.
        ranges: how outliers of its activations are best cut off in static int8 (``"entropy"``); "": as measured.
        sensitive: whether products may move its outputs only a little, and tables that are looked up stay float.
        float_layers: layers that stay float in int8 of activations, by their modules' names in the reference
            (``"layers.0.conv"``), or of a recurrent layer by the weights' (``"lstm.weight_ih_l0"``).
        kind: ``"network"``, or a frontend for which exporters may have their own code
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
    int8: Literal["", "weights", "calls"] = ""
    ranges: str = ""
    sensitive: bool = False
    float_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """The metric of a model, and its limits.

    Attributes:
        metric: a name in `edgekit.bench.metrics`, such as ``"wer"``.
        worst: the absolute bar: the metric must not be worse than this (for WER: at most). None: none is known, as of
            a stranger's network; the metric must be better than guessing, where that is defined.
        drop: the largest allowed loss against fp32 on the same samples, in the metric's own unit.
        minimum: fewer samples than this make the verdict "undecided".
        also: further metrics that are reported and decide nothing.
    """

    metric: str
    worst: float | None
    drop: float
    minimum: int
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """The name and the licence of a model.

    Attributes:
        name: registry name. family: such as ``"whisper"``. licence: SPDX identifier of the weights.
        licence_text: package-data file with the weights' licence, relative to the models room; another package's model
            gives an absolute path; "" if the source comes without.
        terms: name of the terms of use that the user must accept before the weights are fetched ("" where there are
            none); the licence text holds them.
        importer: name of the importer that made the declaration; "" for a model of the registry.
        note: what to know before one takes it, for `list`, `fit`, `export` and its page: whose weights these are if
            they are no publisher's, and for what they are good.
    """

    name: str
    family: str
    licence: str
    licence_text: str
    terms: str = ""
    importer: str = ""
    note: str = ""


@dataclass(frozen=True)
class Weights:
    """The sources of a model's weights, and how they are checked.

    Attributes:
        sources: tried in order; each holds everything that the parts and `assets` need.
        prepare: (checkpoint, folder with the assets) -> facts that a caller in any language needs (sample rate,
            special tokens, window sizes), JSON-able; raises BadInput for a checkpoint of another shape.
        assets: names of the source's files that are copied into the bundle (a tokenizer). If the user's own
            weights lack such a file, it comes from `sources`.
        companions: pinned weights of other models that some part is built of, by name; a builder finds them in
            `Checkpoint.companions`.
        hub: address of the weights on a hub (``hf://OWNER/REPO``), or of an imported model the path of its file or
            folder, used if no source is pinned; these weights are recorded as not pinned.
    """

    sources: tuple[Source, ...]
    prepare: Callable[[Checkpoint, Path], Facts]
    assets: tuple[str, ...] = ()
    hub: str = ""
    companions: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """The graphs of a model, and how they are exported.

    Attributes:
        parts: the graphs, in the order in which data flows.
        parameters: number of weights, for `fit`; shared embeddings count once.
        ready: what it is where it is not made of modules, which every format may try: ``"tflite"`` and ``"onnx graph"``
            are files, ``"gguf"`` is a whole language model. See `edgekit.core.Exporter.takes`.
        integers: whether it may be computed in integers from input to output, as on chips without floats; then `Costs`
            means flash and RAM.
        precision: of a ready network that is taken as it is; empty if every precision can be made of it.
        variants: what a format demands of a graph (`edgekit.core.Exporter.demands`) -> the declaration that meets it,
            of the same name and task.
        preferred: the precision that is made without --precision in place of a smaller one, where that is not the best:
            of a tiny network, int8 saves next to nothing. "" leaves it to the target.
    """

    parts: tuple[Part, ...]
    parameters: int
    ready: str = ""
    integers: bool = False
    precision: str = ""
    variants: Mapping[str, Model] = field(default_factory=dict)
    preferred: str = ""

    def part(self, name: str) -> Part:
        """The part of that name."""
        return next(part for part in self.parts if part.name == name)


@dataclass(frozen=True)
class Usage:
    """The task of a model, and its differences from the task's defaults.

    Attributes:
        name: of the task, a Hugging Face pipeline tag.
        golden: package-data file of the golden input, as `Identity.licence_text`.
        predictor: (parts by name, bundle folder, facts) -> Predictor, instead of the task's. Imports only packages of
            the ``run`` extra.
        labels: the names of the classes, if the task's samples have classes.
        samples: (data folder) -> labelled samples, instead of the task's, in a layout of its own (see docs/data.md).
        evaluation: None if no accuracy is defined.
        calibration: how many samples of a calibration folder are used, evenly spaced through it; 0: its first 8.
        operate: (`Prediction.score` of the accepted bundle for every sample of ``--data``, the truths, what the user
            asked for) -> facts of the operating point (a threshold, and what it costs), which the bundle keeps under
            ``operating_point`` for its predictor; raises BadInput for data that cannot tell. None: the model has no
            threshold.
        evidence: real samples in place of the task's.
    """

    name: str
    golden: str
    predictor: Callable[[Mapping[str, Runner], Path, Facts], Predictor] | None = None
    labels: Sequence[str] = ()
    samples: Callable[[Path], Sequence[Sample]] | None = None
    evaluation: Evaluation | None = None
    calibration: int = 0
    operate: Callable[[Sequence[Any], Sequence[Any], Facts], Facts] | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Model:
    """A model. A file in `models/` declares it as ``MODEL``."""

    identity: Identity
    weights: Weights
    network: Network
    task: Usage
    costs: Costs

    @property
    def name(self) -> str:
        """The registry name."""
        return self.identity.name
