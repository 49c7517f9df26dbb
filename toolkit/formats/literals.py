"""Arrays that a Python file writes out as literals: ``NAME = np.array([[0.1, -0.2], ...])``. Read as data, never run.

Old policies of simulators come like this. Only such lines at the top level count: a name, a call of something called
``array``, and a list of numbers, or of such lists of equal lengths. Everything else in the file is passed over.
"""

from __future__ import annotations

import ast
import math
import warnings
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput

#: Bytes of a file: a syntax tree takes some hundred times as much memory.
_MOST = 4 << 20
#: Lists inside one another.
_DEEPEST = 8


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Name -> float64 array of every literal array in the Python file `path`; of a name twice the last.

    Raises:
        BadInput: too large, not Python, no array at all, or one that is ragged, empty, or holds what is no finite
            number.
    """
    size = path.stat().st_size
    if size > _MOST:
        raise BadInput(f"{path.name} has {size} bytes; a file of literals has at most {_MOST >> 20} MiB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the file's own style
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise BadInput(f"{path.name} is not a Python file: {type(exc).__name__}.") from exc
    arrays = {}
    for line in tree.body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=function, args=[values])) if _is_array(
                function
            ):
                arrays[name] = _array(values, f"{path.name}: {name}")
    if not arrays:
        raise BadInput(f"{path.name} writes out no arrays, as in: NAME = np.array([[0.1, -0.2]]).")
    return arrays


def _is_array(function: ast.expr) -> bool:
    return (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")) == "array"


def _array(values: ast.expr, where: str) -> NDArray[Any]:
    rows, shape = _flat(values, where, 0)
    if math.prod(shape) != len(rows) or not rows:
        raise BadInput(f"{where} is empty or ragged.")
    array = np.array(rows, np.float64).reshape(shape)
    if not np.isfinite(array).all():
        raise BadInput(f"{where} holds a number that is not finite.")
    return array


def _flat(values: ast.expr, where: str, depth: int) -> tuple[list[float], tuple[int, ...]]:
    """The numbers below a list, in order, and its shape by its first entries."""
    if not isinstance(values, ast.List | ast.Tuple):
        return [_number(values, where)], ()
    if depth == _DEEPEST:
        raise BadInput(f"{where} has more than {_DEEPEST} lists inside one another.")
    rows: list[float] = []
    shapes = set()
    for entry in values.elts:
        numbers, shape = _flat(entry, where, depth + 1)
        rows += numbers
        shapes.add(shape)
    if len(shapes) > 1:
        raise BadInput(f"{where} is ragged: its rows have the shapes {' and '.join(map(str, sorted(shapes)))}.")
    return rows, (len(values.elts), *(shapes.pop() if shapes else ()))


def _number(value: ast.expr, where: str) -> float:
    try:
        number = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError):
        number = None
    if type(number) not in (int, float):
        raise BadInput(f"{where}, line {value.lineno}: only numbers are read, and nothing is computed.")
    try:
        return float(number)
    except OverflowError as exc:
        raise BadInput(f"{where}, line {value.lineno}: the number is too large.") from exc
