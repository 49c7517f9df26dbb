"""A bundle as a predictor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgekit.bundles.bundle import open_bundle
from edgekit.common.processors import thread_count
from edgekit.core import Bundle, Exporter, Model, Predictor, Runner, serving
from edgekit.errors import BadInput, UnknownName
from edgekit.registry import find
from edgekit.tasks.resolved import predictor_of

__all__ = ["load", "load_unchecked", "makers"]


def load(
    path: str | Path,
    threads: int | None = None,
    wrap: Callable[[str, Runner], Runner] | None = None,
    *,
    hashes: bool = True,
) -> Predictor:
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
    model, exporter = makers(bundle)
    threads = thread_count(threads)
    # Hashes do not vouch for source code: whoever made the bundle also made the manifest.
    exporter.check(model, bundle.path)
    runners = {part.name: exporter.load(bundle.path / part.file, threads) for part in manifest.parts}
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


def makers(bundle: Bundle) -> tuple[Model, Exporter]:
    """The model and the exporter of `bundle`.

    Raises:
        UnknownName: the model or the exporter is not installed here.
    """
    room, name = "exporters", bundle.manifest.recipe.exporter
    try:
        exporter = find("exporters", name)
        room, name = "models", bundle.manifest.model.name
        return serving(find("models", name), exporter.name), exporter
    except UnknownName as exc:
        raise UnknownName(
            f"the bundle {bundle.path.name} was made by the {room.rstrip('s')} {name!r}, which is not installed here.",
            hint=f"Install the package that brings it (entry point edgekit.{room}), or upgrade edgekit.",
        ) from exc


def load_unchecked(path: str, threads: int, wrap: Callable[[str, Runner], Runner] | None) -> Predictor:
    """`load` without hashing, for `bench`, whose parent has checked the bundle once."""
    return load(path, threads, wrap, hashes=False)
