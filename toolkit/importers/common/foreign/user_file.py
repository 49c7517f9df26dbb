"""In the child: the user's file as a module, and the functions that edgekit knows in it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekit.errors import BadInput
from edgekit.importers.common.foreign.child import stage


def import_file(path: Path) -> ModuleType:
    """The file, imported under its own name."""
    stage("its import")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{path.name} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # classes in it can then be looked up by their module's name
    spec.loader.exec_module(module)
    return module


def function_of(module: ModuleType, *names: str) -> Callable[..., Any]:
    """The first of these functions that the file has. Raises BadInput if it has none."""
    for name in names:
        if (function := optional(module, name)) is not None:
            return function
    label = Path(str(module.__file__)).name
    raise BadInput(
        f"{label} has no function {' or '.join(f'{name}()' for name in names)}.",
        hint="`edgekit init mine.py` writes a file with all that edgekit knows.",
    )


def optional(module: ModuleType, name: str) -> Callable[..., Any] | None:
    """A function of the file, None if it has none of this name."""
    function = vars(module).get(name)
    if function is not None and not callable(function):
        raise BadInput(f"{name} in {Path(str(module.__file__)).name} is no function, but {type(function).__name__}.")
    return function
