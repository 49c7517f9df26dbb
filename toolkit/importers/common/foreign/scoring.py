"""Answers and truths on their way to a user's metric in the child, and the call of it there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts
from edgekit.errors import BadInput

ANSWERS, TRUTHS = "answers", "truths"


def save(values: Sequence[Any], folder: Path, name: str) -> None:
    """Write values of numbers, texts, arrays, and lists and mappings of these."""
    arrays: dict[str, NDArray[Any]] = {}
    packed = [_encode_value(_unwrap_single(value), arrays) for value in values]
    (folder / f"{name}.json").write_text(json.dumps(packed), encoding="utf-8")
    np.savez(folder / f"{name}.npz", allow_pickle=False, **arrays)


def score(arguments: Mapping[str, Any], scratch: Path) -> Facts:
    """In the child: call the user's function with all answers and truths. Its numbers, as they are."""
    from edgekit.importers.common.foreign.child import stage
    from edgekit.importers.common.foreign.user_file import function_of, import_file

    module = import_file(Path(arguments["file"]))
    function = function_of(module, arguments["function"])
    answers, truths = _load(scratch, ANSWERS), _load(scratch, TRUTHS)
    stage(f"{arguments['function']}()")
    result = function(answers, truths)
    try:
        values = [float(value) for value in result]
    except TypeError as exc:
        raise BadInput(
            f"{Path(arguments['file']).name}: {arguments['function']}() gave {type(result).__name__}, not a number for "
            "each sample."
        ) from exc
    return {"values": [value if value - value == 0 else str(value) for value in values]}


def _unwrap_single(value: Any) -> Any:
    """The array itself where an answer has a single one."""
    return next(iter(value.values())) if isinstance(value, Mapping) and len(value) == 1 else value


def _encode_value(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        arrays[name := f"a{len(arrays)}"] = np.asarray(value)
        return {"array": name}
    if isinstance(value, Mapping):
        return {"mapping": {str(key): _encode_value(item, arrays) for key, item in value.items()}}
    if isinstance(value, list | tuple):
        return {"list": [_encode_value(item, arrays) for item in value]}
    return {"value": value}


def _load(folder: Path, name: str) -> list[Any]:
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        return [_decode_value(value, arrays) for value in json.loads((folder / f"{name}.json").read_bytes())]


def _decode_value(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    kind, content = next(iter(value.items()))
    if kind == "array":
        return arrays[content]
    if kind == "mapping":
        return {key: _decode_value(item, arrays) for key, item in content.items()}
    if kind == "list":
        return [_decode_value(item, arrays) for item in content]
    return content
