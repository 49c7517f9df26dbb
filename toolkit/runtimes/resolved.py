"""Runtimes by recipe and by format."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace

from edgekit.core import Facts, Recipe, Runtime
from edgekit.errors import UnknownName, Unsupported
from edgekit.registry import find, names


def recipe_of(runtime: str, precision: str, options: Facts | None = None) -> Recipe:
    """A recipe with the format that its runtime takes.

    Raises:
        UnknownName: it is not installed. Unsupported: it takes no files.
    """
    return add_format(Recipe(runtime, precision, options or {}))


def add_format(recipe: Recipe) -> Recipe:
    """`recipe` with its format. Raises as `recipe_of`."""
    formats = find("runtimes", recipe.runtime).formats
    if not formats:
        raise Unsupported(f"{recipe.runtime} computes references, and nothing is exported for it.")
    return replace(recipe, exporter=formats[0])


def runtime_of(recipe: Recipe) -> Runtime:
    """The runtime of a recipe. Raises UnknownName."""
    return find("runtimes", recipe.runtime)


def runtime_for(exporter: str, preferred: Iterable[str] = ()) -> str:
    """Name of the runtime for the files of `exporter`: the first of `preferred` that takes them, else of all.

    Raises:
        Unsupported: nothing that is installed runs them.
    """
    taking = []
    for name in dict.fromkeys((*preferred, *names("runtimes"))):
        with contextlib.suppress(UnknownName, Unsupported):  # one of another package that is absent or broken
            if exporter in find("runtimes", name).formats:
                taking.append(name)
    if taking:
        # Of the others edgekit's own come first: what is installed beside must not change what a format means. What
        # compiles for an accelerator must be asked for.
        found = {name: find("runtimes", name) for name in taking}
        own = [name for name, runtime in found.items() if is_own(runtime) and not runtime.cpu]
        return next((name for name in (*preferred, *own) if name in taking), taking[0])
    raise Unsupported(f"no runtime that is installed takes the files of the {exporter} exporter.")


def is_own(runtime: Runtime) -> bool:
    """Whether a runtime is edgekit's, and no other package's."""
    return type(runtime).__module__.startswith(f"{__package__}.")


def runtime_once(exporter: str) -> str:
    """Name of the runtime that was meant where older files name an exporter: one of the same name, else the first.

    Raises:
        Unsupported: nothing that is installed runs its files.
    """
    return exporter if exporter in names("runtimes") else runtime_for(exporter)
