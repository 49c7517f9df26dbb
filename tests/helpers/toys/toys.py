"""What the tests of sources and checkpoints share: bytes to pin, and ways to damage them."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from edgekit.core import Checkpoint, Sample, Source, SourceFile
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint

BODY = random.Random(1).randbytes(300_000)


def pinned(*pieces: str, body: bytes = BODY, name: str = "w.bin") -> SourceFile:
    return SourceFile(name, hashlib.sha256(body).hexdigest(), len(body), pieces)


def source(*files: SourceFile, uri: str = "test://source") -> Source:
    return Source(uri, "1", "MIT", files)


def leftovers(tmp_path: Path) -> list[str]:
    """Names of the files in the test's cache, locks aside."""
    paths = (tmp_path / "cache").rglob("*")
    return sorted(path.name for path in paths if path.is_file() and path.suffix != ".lock")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def damage(data: bytes, draw: st.DataObject) -> bytes:
    """Cut off, with some bits flipped, or with something added at the end."""
    how = draw.draw(st.sampled_from(["cut", "flip", "pad", "overwrite"]))
    if how == "cut":
        return data[: draw.draw(st.integers(0, len(data) - 1))]
    if how == "pad":
        return data + draw.draw(st.binary(min_size=1, max_size=20))
    changed = bytearray(data)
    for at in draw.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=4)):
        changed[at] = changed[at] ^ (1 << draw.draw(st.integers(0, 7))) if how == "flip" else 255
    return bytes(changed)


def bad_input_or_checkpoint(path: Path) -> bool:
    """True if it was read. Any other exception, or more memory than so small a file can mean, fails the test."""
    tracemalloc.start()
    try:
        assert isinstance(read_checkpoint(path), Checkpoint)
        return True
    except BadInput:
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8_000_000


def labelled(truths: Sequence[Any], names: Sequence[str] = ()) -> list[Sample]:
    """Samples with these right answers."""
    both = zip_longest(truths, names, fillvalue="")
    return [Sample(f"sample {i}", truth, name) for i, (truth, name) in enumerate(both)]
