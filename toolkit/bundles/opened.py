"""A bundle as a predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from edgekit import core
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.facts import recipe_in
from edgekit.bundles.manifest import Manifest, Tensor
from edgekit.common.processors import thread_count
from edgekit.errors import BadInput, UnknownName, Unsupported
from edgekit.registry import find, names, serving
from edgekit.tasks.resolved import predictor_of


def load(
    path: str | Path,
    threads: int | None = None,
    wrap: Callable[[str, core.Runner], core.Runner] | None = None,
    *,
    hashes: bool = True,
) -> core.Predictor:
    """A bundle, ready to predict. Needs only the ``run`` extra, and never the checkpoint.

    Args:
        threads: within an operator; None takes all processors that this process may use.
        wrap: (part, runner) -> the runner to use in its place (how `bench` times parts).
        hashes: check contents first; without, only names and sizes.

    Raises:
        BadInput: not a bundle, changed, or its model's pipeline cannot use it; too many threads.
        UnknownName: made by a model or exporter that is not installed here. MissingExtra: the runtime is absent.
    """
    bundle = open_bundle(Path(path), hashes=hashes)
    manifest = bundle.manifest
    model, exporter, runtime = makers(bundle)
    threads = thread_count(threads)
    # Hashes do not vouch for source code: whoever made the bundle also made the manifest.
    exporter.check(model, bundle.path)
    runners = {part.name: runtime.load(bundle.path / part.file, threads) for part in manifest.parts}
    if wrap:
        runners = {name: wrap(name, runner) for name, runner in runners.items()}
    try:
        return predictor_of(model, runners, bundle.path, manifest.facts)
    except (LookupError, TypeError, ValueError, AttributeError) as exc:
        raise BadInput(
            f"the bundle {bundle.path.name} cannot be used by the model {model.name}: "
            f"its parts or facts are not what the pipeline expects ({type(exc).__name__}: {exc}).",
            hint="Export it again with this edgekit.",
        ) from exc


class Makers(NamedTuple):
    """Who made a bundle, and who runs it."""

    model: core.Model
    exporter: core.Exporter
    runtime: core.Runtime


def makers(bundle: core.Bundle) -> Makers:
    """The model, the exporter and the runtime of `bundle`.

    Raises:
        UnknownName: one of them is not installed here.
    """
    facts = bundle.manifest.recipe
    room, name = ("runtimes", facts.runtime) if facts.runtime else ("exporters", facts.exporter)
    try:
        recipe = recipe_in(bundle.manifest)
        exporter, runtime = find("exporters", recipe.exporter), find("runtimes", recipe.runtime)
        if bundle.manifest.model.importer:
            return Makers(model_from_manifest(bundle.manifest), exporter, runtime)
        room, name = "models", bundle.manifest.model.name
        return Makers(serving(find("models", name), exporter.name), exporter, runtime)
    except UnknownName as exc:
        raise UnknownName(
            f"the bundle {bundle.path.name} needs the {room.rstrip('s')} {name!r}, which is not installed here.",
            hint=f"Install the package that brings it (entry point edgekit.{room}), or upgrade edgekit.",
        ) from exc


def model_from_manifest(manifest: Manifest) -> core.Model:
    """The declaration of an imported model, as far as its bundle needs it: parts, and the task with its labels."""
    parts = tuple(
        core.Part(part.name, _specs(part.inputs), _specs(part.outputs), axes={}, build=None) for part in manifest.parts
    )
    facts = manifest.model
    task = find("tasks", facts.task)
    labels = manifest.facts.get("labels", ())
    usage = core.Usage(
        facts.task,
        manifest.golden.input,
        labels=tuple(labels) if isinstance(labels, list) else (),
        evaluation=task.evaluation,
    )
    if facts.family in names("families"):
        usage = replace(find("families", facts.family).usage, golden=manifest.golden.input)
    return core.Model(
        identity=core.Identity(facts.name, facts.family, manifest.licences["weights"], "", importer=facts.importer),
        weights=core.Weights(sources=(), prepare=lambda checkpoint, folder: manifest.facts),
        network=core.Network(parts=parts, parameters=facts.parameters),
        task=usage,
        costs=core.Costs(size=_unknown, memory=_unknown),
    )


def _specs(tensors: Sequence[Tensor]) -> tuple[core.TensorSpec, ...]:
    return tuple(core.TensorSpec(tensor.name, tensor.dtype, tuple(tensor.shape)) for tensor in tensors)


def _unknown(recipe: core.Recipe) -> int:
    raise Unsupported("a bundle does not know what its model costs in another recipe.", hint="edgekit fit SOURCE")


def load_unchecked(path: str, threads: int, wrap: Callable[[str, core.Runner], core.Runner] | None) -> core.Predictor:
    """`load` without hashing, for `bench`, whose parent has checked the bundle once."""
    return load(path, threads, wrap, hashes=False)
