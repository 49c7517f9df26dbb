"""A model, an exporter and a target of another package, small enough for a whole export in a fraction of a second.

They come in through the documented door: `install` writes the metadata of a distribution whose entry points name them.
The model tells by a signal's waves whether it says "no", "yes" or "maybe"; the exporter writes numpy archives.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekit.bundles.manifest import File, Manifest, encode
from edgekit.common.files import hash_file
from edgekit.core import (
    INTERFACE,
    Abilities,
    Artifact,
    Axis,
    Checkpoint,
    Costs,
    Evaluation,
    Exporter,
    Feeds,
    Identity,
    Model,
    Network,
    Part,
    Prediction,
    Predictor,
    Progress,
    Recipe,
    Runner,
    Runtime,
    Sample,
    Target,
    TensorSpec,
    Usage,
    Weights,
)
from edgekit.core.options import check_names
from edgekit.errors import BadInput

LABELS = ("no", "yes", "maybe")
FEATURES, HIDDEN = 64, 128
WAVES = np.linspace(0.1, 6.4, FEATURES, dtype=np.float32)
HERE = Path(__file__).parents[2]


# --------------------------------------------------------------------------------------------------------- the model


def _frontend(checkpoint: Checkpoint) -> Any:
    import torch

    class Frontend(torch.nn.Module):
        def forward(self, signal: torch.Tensor) -> torch.Tensor:
            return torch.sin(signal[:, :, None] * torch.from_numpy(WAVES)).mean(dim=1)

    return Frontend()


def _network(checkpoint: Checkpoint) -> Any:
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = torch.nn.Parameter(torch.from_numpy(np.array(checkpoint.tensors["up"])))
            self.down = torch.nn.Parameter(torch.from_numpy(np.array(checkpoint.tensors["down"])))

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return torch.relu(features @ self.up) @ self.down

    return Network()


def _prepare(checkpoint: Checkpoint, folder: Path) -> Mapping[str, Any]:
    shapes = {name: array.shape for name, array in checkpoint.tensors.items()}
    if shapes != {"up": (FEATURES, HIDDEN), "down": (HIDDEN, len(LABELS))}:
        raise BadInput(f"these are not the weights of a toy: {shapes}.")
    return {"labels": (folder / "labels.txt").read_text().split()}


class Speller(Predictor):
    """The pipeline: a float array, or a file of numbers (.npy, .txt), to a label."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> None:
        self._parts, self._labels = dict(parts), facts["labels"]
        self._parts["frontend"], self._parts["network"]

    def predict(self, sample: Any, **options: Any) -> Prediction:
        check_names(options, ("loud",))
        signal = _signal(sample)
        features = self._parts["frontend"]({"signal": signal[None]})["features"]
        scores = self._parts["network"]({"features": features})["scores"][0]
        label = self._labels[int(scores.argmax())]
        details = {"scores": scores, "options": options, "notes": ["it is short"] if len(signal) < 4 else []}
        return Prediction(label.upper() if options.get("loud") else label, details)


def _signal(sample: Any) -> NDArray[np.float32]:
    if isinstance(sample, (str, Path)):
        try:
            sample = np.load(sample) if str(sample).endswith(".npy") else np.loadtxt(sample, ndmin=1)
        except (OSError, ValueError, EOFError) as exc:
            raise BadInput(f"{Path(sample).name} holds no signal.") from exc
    signal = np.asarray(sample, np.float32)
    if signal.ndim != 1 or not signal.size or not np.isfinite(signal).all():
        raise BadInput("a signal is a row of numbers.")
    return signal


def _pipeline(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    return Speller(parts, folder, facts)


def _samples(folder: Path) -> Sequence[Sample]:
    """``truths.json`` (file -> label, or null) and the files beside it."""
    truths = json.loads((folder / "truths.json").read_text())
    return [Sample(str(folder / name), truth, name) for name, truth in truths.items()]


def _size(recipe: Recipe) -> int:
    return 33_000 * {"fp32": 4, "fp16": 2}.get(recipe.precision, 1)


_FEATURES = TensorSpec("features", "float32", (1, FEATURES))

MODEL = Model(
    identity=Identity(
        name="toy-speller", family="toy", licence="MIT", licence_text=str(HERE / "golden" / "toy-licence.txt")
    ),
    weights=Weights(sources=(), assets=("labels.txt",), prepare=_prepare),
    network=Network(
        parts=(
            Part(
                "frontend",
                (TensorSpec("signal", "float32", (1, "samples")),),
                (_FEATURES,),
                {"samples": Axis(1, 1000, 50)},
                _frontend,
                quantize=False,
            ),
            Part("network", (_FEATURES,), (TensorSpec("scores", "float32", (1, len(LABELS))),), {}, _network),
        ),
        parameters=FEATURES * HIDDEN + HIDDEN * len(LABELS),
    ),
    task=Usage(
        name="audio-classification",
        predictor=_pipeline,
        golden=str(HERE / "golden" / "toy-signal.txt"),
        samples=_samples,
        evaluation=Evaluation("wer", worst=0.3, drop=0.1, minimum=25),
    ),
    costs=Costs(size=_size, memory=lambda recipe: 10 * _size(recipe)),
)


# ------------------------------------------------------------------------------------------------------ the exporter


class ToyExporter(Exporter):
    """A part is a numpy archive. TOY_SPOIL in the environment spoils precisions: {"int4": "noise", "int8": "skew"}.

    ``noise`` makes outputs that no precision explains, ``skew`` ones that are near but fall for the first label, and
    ``crash`` none: it ends the process.
    """

    interface = INTERFACE
    name = "toy"
    precisions = ("fp32", "int8", "int4")
    extra = "export"
    distributions = ("numpy", "torch")
    doctor = "export toys"

    def ladder(self, model: Model, recipe: Recipe) -> Sequence[Recipe]:
        return [replace(recipe, precision=precision, options={}) for precision in ("int4", "int8", "fp32")]

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
        if os.environ.get("TOY_WAIT"):  # long enough for a test to send a signal
            progress("waiting", 0, 0)
            time.sleep(float(os.environ["TOY_WAIT"]))
        spoil = json.loads(os.environ.get("TOY_SPOIL", "{}")).get(recipe.precision, "")
        if spoil == "crash":
            os.abort()
        weights = {name: self._rounded(array, recipe.precision) for name, array in checkpoint.tensors.items()}
        if spoil == "noise":
            weights["up"] = np.random.default_rng(1).standard_normal((FEATURES, HIDDEN)).astype(np.float32)
        skew = np.float32(0.1 if spoil == "skew" else 0)
        (out / f"only-{recipe.precision}").mkdir()
        (out / f"only-{recipe.precision}" / "note.txt").write_text("a file that other precisions do not write\n")
        artifacts = []
        for part in model.network.parts:
            arrays = {"waves": WAVES} if part.name == "frontend" else {**weights, "skew": skew}
            with (out / f"{part.name}.toy").open("wb") as file:
                for name, array in sorted(arrays.items()):
                    head = json.dumps([name, list(array.shape)]).encode()
                    file.write(len(head).to_bytes(4, "little") + head + array.tobytes())
            artifacts.append(Artifact(part.name, f"{part.name}.toy", {"operators": {"product": 2}}))
        return artifacts

    @staticmethod
    def _rounded(array: NDArray[Any], precision: str) -> NDArray[np.float32]:
        levels = {"int8": 127, "int4": 7}.get(precision)
        if levels is None:
            return np.array(array, np.float32)
        scale = np.abs(array).max() / levels
        return (np.rint(array / scale) * scale).astype(np.float32)


class ToyRuntime(Runtime):
    """It opens what `ToyExporter` writes."""

    interface = INTERFACE
    name = "toy"
    formats = ("toy",)
    distributions = ("numpy",)
    abilities = Abilities((8, 4), ("tensor",), activations=("float",))

    def load(self, file: Path, threads: int) -> Runner:
        return ToyRunner(file)


class ToyRunner(Runner):
    """An archive that `ToyExporter` wrote."""

    def __init__(self, file: Path) -> None:
        part = next(part for part in MODEL.network.parts if part.name == file.stem)
        self.inputs, self.outputs = part.inputs, part.outputs
        self._arrays: dict[str, NDArray[np.float32]] = {}
        data = file.read_bytes()
        try:
            while data:
                size = int.from_bytes(data[:4], "little")
                name, shape = json.loads(data[4 : 4 + size])
                end = 4 + size + 4 * int(np.prod(shape))
                self._arrays[name] = np.frombuffer(data[4 + size : end], np.float32).reshape(shape)
                data = data[end:]
        except ValueError as exc:
            raise BadInput(f"{file.name} is not of the toy format.") from exc

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        arrays = self._arrays
        if "waves" in arrays:
            return {"features": np.sin(feeds["signal"][:, :, None] * arrays["waves"]).mean(axis=1)}
        scores = np.maximum(feeds["features"] @ arrays["up"], 0) @ arrays["down"]
        scores[:, 0] += arrays["skew"] * np.linalg.norm(scores)
        return {"scores": scores}


EXPORTER = ToyExporter()
RUNTIME = ToyRuntime()

#: The numbers that it measures are its own: bench adds no warning.
TARGET = Target(
    name="toy-board",
    system="any",
    processor="any",
    recipes={"*": Recipe("toy", "int8")},
    device="host",
    ram=1_500_000,
    refuses={"text-generation": "a toy board cannot write."},
)


# -------------------------------------------------------------------------------------------------------- what it needs

#: Field of a model -> the group that holds it.
GROUPS = {
    field.name: group for group in ("weights", "network", "task", "costs") for field in fields(getattr(MODEL, group))
}


def changed(**values: Any) -> Model:
    """The model with other values of fields, whichever group they are in."""
    model = MODEL
    for name, value in values.items():
        model = replace(model, **{GROUPS[name]: replace(getattr(model, GROUPS[name]), **{name: value})})
    return model


ENTRY_POINTS = """
[edgekit.models]
Toy_Speller = helpers.toys.toy_model:MODEL
[edgekit.exporters]
toy = helpers.toys.toy_model:EXPORTER
[edgekit.runtimes]
toy = helpers.toys.toy_model:RUNTIME
[edgekit.targets]
toy-board = helpers.toys.toy_model:TARGET
"""


def install(folder: Path, entry_points: str = ENTRY_POINTS) -> Path:
    """Write a distribution's metadata into `folder`, which then goes on the path; returns `folder`."""
    info = folder / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    return folder


def write_weights(folder: Path, seed: int = 5) -> Path:
    """A checkpoint as a user has one: safetensors, a configuration and the asset beside it; returns `folder`."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    save_file(weights(seed), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "toy"}))
    (folder / "labels.txt").write_text("\n".join(LABELS))
    return folder


def weights(seed: int = 5) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    up, down = rng.standard_normal((FEATURES, HIDDEN)), rng.standard_normal((HIDDEN, len(LABELS)))
    return {"up": up.astype(np.float32), "down": down.astype(np.float32)}


def write_data(folder: Path, count: int = 44, truths: str = "right", close: bool = False) -> Path:
    """A data folder; returns it.

    Args:
        truths: "right" (what fp32 answers), "wrong" (never that), "absent", or "empty".
        close: signals between "no" and another label, which a skewed artefact gets wrong; else clear ones.
    """
    folder.mkdir(parents=True)
    rng, held = np.random.default_rng(2), weights()
    found = []
    for _ in range(40 * count):
        signal = rng.standard_normal(12).astype(np.float32)
        scores = np.maximum(np.sin(signal[:, None] * WAVES).mean(axis=0) @ held["up"], 0) @ held["down"]
        second, first = np.sort(scores)[-2:]
        margin = float((first - scores[0]) / np.linalg.norm(scores)) if close else -float(first - second)
        if not (close and scores.argmax() == 0):
            found.append((margin, signal, int(scores.argmax())))
    found.sort(key=lambda item: item[0])
    labels: dict[str, str | None] = {}
    for i, (_, signal, best) in enumerate(found[:count]):
        np.save(folder / f"{i}.npy", signal)
        label = {"right": LABELS[best], "wrong": LABELS[best - 1], "absent": None, "empty": ""}
        labels[f"{i}.npy"] = label[truths]
    (folder / "truths.json").write_text(json.dumps(labels))
    return folder


def names(bundle: Path) -> set[str]:
    return {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}


def forge(bundle: Path, change: Callable[[dict[str, Any]], None] = lambda raw: None) -> None:
    """Sign a bundle anew, after a change of its manifest, as somebody with this source code can."""
    raw = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    raw["files"] = {
        name: msgspec.to_builtins(File(sha256=hash_file(bundle / name), size=(bundle / name).stat().st_size))
        for name in sorted(names(bundle) - {"manifest.json"})
    }
    change(raw)
    (bundle / "manifest.json").write_bytes(encode(msgspec.convert(raw, Manifest)))
