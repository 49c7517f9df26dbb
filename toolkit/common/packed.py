"""Files that a bundle holds packed, in gzip's format (RFC 1952): every system and language can open it.

Where steps of weights are wide (`edgekit.quantization.weights.gptq.Grid`) few of their 8 bits say something. A code by
how frequent they are takes about as many bits as they say. Whoever opens the model has whole bytes again, for kernels
of 8 bits.
"""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import BadInput

SUFFIX = ".gz"
#: zlib's name of the format, its level, and memory for codes (the most: they follow what changes in a file).
_GZIP, _LEVEL, _MEMORY = 31, 6, 9
#: No packed file is larger when it is unpacked: an .onnx file cannot be.
_MOST = 2**31 - 1
_PIECE = 1 << 20


def pack(data: bytes, file: Path) -> None:
    """Write `data` into `file`; the same data give the same bytes."""
    # Weights repeat by chance alone. To say where costs more than to say them again: only long repetitions count.
    coder = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP, _MEMORY, zlib.Z_FILTERED)
    file.write_bytes(coder.compress(data) + coder.flush())


def plain_name(name: str) -> str:
    """The name of what a file holds; of one that is not packed its own."""
    return name.removesuffix(SUFFIX)


def unpack(file: Path, out: Path) -> Path:
    """Write what `file` holds to `out`, or copy it there if it is not packed. Returns `out`.

    Raises:
        BadInput: it is damaged, or holds more than 2 GB.
    """
    decoder, left = zlib.decompressobj(_GZIP), _MOST
    with file.open("rb") as packed, out.open("wb") as fresh:
        if file.suffix != SUFFIX:
            while piece := packed.read(_PIECE):
                fresh.write(piece)
            return out
        while not decoder.eof and (piece := packed.read(_PIECE)):
            while piece and not decoder.eof:
                try:
                    made = decoder.decompress(piece, _PIECE)
                except zlib.error as exc:
                    raise _unpack_error(file, str(exc)) from exc
                piece, left = decoder.unconsumed_tail, left - len(made)
                if left < 0:
                    raise _unpack_error(file, f"it holds more than {_MOST} bytes")
                fresh.write(made)
        if not decoder.eof or decoder.unused_data or packed.read(1):
            raise _unpack_error(file, "it is cut off, or something follows its end")
    return out


@contextlib.contextmanager
def plain(file: Path) -> Iterator[Path]:
    """`file` itself, or what it holds: a temporary file of its plain name, which vanishes behind the block.

    Raises:
        BadInput: as `unpack`.
    """
    if file.suffix != SUFFIX:
        yield file
        return
    # Windows keeps what is still mapped.
    with tempfile.TemporaryDirectory(prefix="edgekit-plain-", ignore_cleanup_errors=True) as folder:
        yield unpack(file, Path(folder) / plain_name(file.name))


def _unpack_error(file: Path, why: str) -> BadInput:
    return BadInput(
        f"{file.name} cannot be unpacked: {why}.", hint="Export the bundle again, or fetch it again from where it came."
    )
