"""A reader of GGUF files that believes nothing."""

from edgekit.formats.gguf.reader import (
    Census,
    Gguf,
    GgufTensor,
    LongArray,
    census,
    read,
    read_start,
    shard_of,
    shards_of,
)
from edgekit.formats.gguf.types import FILE_TYPES, GGML_TYPES

__all__ = [
    "FILE_TYPES",
    "GGML_TYPES",
    "Census",
    "Gguf",
    "GgufTensor",
    "LongArray",
    "census",
    "read",
    "read_start",
    "shard_of",
    "shards_of",
]
