"""One .gguf -> another with other tensor types, by llama.cpp's quantizer, whole or not at all."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import ExportFailed, boundary
from edgekit.formats import gguf
from edgekit.llama import library
from edgekit.runtimes.llama_cpp.context import call_failure, telling

#: Bytes of a tensor's rows that are worked on at once. The embedding of a model with a large vocabulary has gigabytes.
_BUFFER = 1 << 28
_TYPES = {name: number for number, (name, _, _) in gguf.GGML_TYPES.items()}


def quantize(
    source: Path,
    out: Path,
    precision: str | None,
    matrix: Mapping[str, NDArray[np.float32]] | None = None,
    embedding: str = "",
    types: Mapping[str, str] | None = None,
) -> None:
    """Write `source` in `precision` to `out`; None copies the tensors as they are (and joins shards).

    Args:
        source: known to be sound (`edgekit.formats.gguf.read`); the first of its shards, where it has several.
        matrix: see `edgekit.exporters.gguf.importance`. embedding: a type of its own for the embedding, also where it
            is the output's matrix. types: matrix -> its type, where it is not that of the precision's rules.

    Raises:
        ExportFailed: llama.cpp refused, with its reason. Nothing is then at `out` that was not there before.
    """
    api = library.bindings()
    params = api.llama_model_quantize_default_params()
    params.allow_requantize, params.max_buf_size, params.nthread = True, _BUFFER, 0
    params.only_copy = precision is None
    if precision is not None:
        params.ftype = gguf.FILE_TYPES[precision]
    if embedding:
        params.token_embedding_type = params.output_tensor_type = _TYPES[embedding]
    patterns = _patterns(api, types or {})
    if types:
        params.tt_overrides = patterns
    entries = _entries(api, matrix or {})
    if matrix:
        params.imatrix = entries
    fresh = out.with_name(out.name + ".partial")
    what = f"llama.cpp cannot make {precision or 'one file'} of {source.name}"
    try:
        # Its writes go past Python: a full disk shows as a failed call, and is reported as such.
        with boundary(), telling(what, ExportFailed, "Choose another precision with --precision."):
            if api.llama_model_quantize(str(source).encode(), str(fresh).encode(), ctypes.byref(params)) != 0:
                raise call_failure()
            with fresh.open("rb+") as file:
                os.fsync(file.fileno())
        gguf.read(fresh)
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


def _entries(api: Any, matrix: Mapping[str, NDArray[np.float32]]) -> Any:
    kind = api.llama_model_imatrix_data
    entries: Any = (kind * (len(matrix) + 1))()
    for entry, (name, values) in zip(entries, matrix.items(), strict=False):
        # The arrays outlive the call: the caller holds the mapping.
        entry.name, entry.size = name.encode(), values.size
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return entries


def _patterns(api: Any, types: Mapping[str, str]) -> Any:
    """Regular expressions that match a name each; a pattern of zero ends them."""
    kind = api.llama_model_tensor_override
    patterns: Any = (kind * (len(types) + 1))()
    for pattern, (name, own) in zip(patterns, types.items(), strict=False):
        pattern.pattern, pattern.type = f"^{re.escape(name)}$".encode(), _TYPES[own]
    return patterns
