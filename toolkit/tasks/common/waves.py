"""Sound from a pipe: WAV as it comes, or 16-bit samples without a header."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.tasks.common.frames import frame_length, same_stream

#: Sample rate of sound without a header, and most bytes of a chunk of a header that are read past.
_RATE, _MOST = 16_000, 1 << 20
#: (format, bits) of a WAV -> numpy's dtype. 1: whole numbers, 3: floats.
_DTYPES = {(1, 8): "u1", (1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4"}
_EXTENSIBLE = 0xFFFE
#: How files begin whose sound is packed: as samples they would be noise.
_PACKED = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"FORM": "AIFF", b"caff": "CAF"}


class Pipe:
    """Chunks of sound from a file that cannot be sought in. Lengths in a header are not believed: a recorder that
    writes to a pipe does not know them.

    Attributes:
        rate: in Hz. channels: of the sound. described: such as ``"WAV, 48000 Hz, 2 channels"``.

    Raises:
        BadInput: a WAV of a kind that is not read, or one that breaks off in its header; another kind of file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._rest = file, _read_exactly(file, 12)
        self.rate, self.channels, self._dtype, self.described = _RATE, 1, "<i2", "16-bit samples at 16000 Hz, no header"
        if kind := self._detect_compression():
            hint = "Name the file in place of -, or pipe its samples: ffmpeg -i FILE -f wav - | edgekit run ..."
            raise BadInput(f"standard input is {kind}, which is not read from a pipe.", hint=hint)
        if self._rest[:4] == b"RIFF" and self._rest[8:12] == b"WAVE":
            self._rest = b""
            self._header()

    def _detect_compression(self) -> str:
        """The kind of a file whose sound is packed, else "". Samples may begin as one frame of MP3 does, by chance;
        that a second one follows where the first ends is none."""
        for begin, kind in _PACKED.items():
            if self._rest.startswith(begin):
                return kind
        length = frame_length(self._rest)
        if not length:
            return ""
        self._rest += _read_exactly(self._file, max(0, length + 4 - len(self._rest)))
        following = self._rest[length : length + 4]
        return "MP3" if frame_length(following) and same_stream(self._rest, following) else ""

    def chunks(self, seconds: float) -> Iterator[NDArray[Any]]:
        """Arrays [samples, channels], of so many seconds or what a read gives, until the pipe closes. A last sample
        that is not whole is dropped."""
        frame = np.dtype(self._dtype).itemsize * self.channels
        wanted = max(round(self.rate * seconds), 1) * frame
        while True:
            data = self._read(wanted)
            held = self._rest + data
            whole = len(held) // frame * frame
            self._rest = held[whole:]
            if whole:
                yield np.frombuffer(held[:whole], self._dtype).reshape(-1, self.channels)
            if not data:
                return

    def _read(self, size: int) -> bytes:
        """What is there, at most `size` bytes; empty at the end."""
        read = getattr(self._file, "read1", self._file.read)
        data: bytes = read(size)
        return data

    def _header(self) -> None:
        form = b""
        while True:
            head = _read_exactly(self._file, 8)
            if len(head) < 8:
                raise BadInput("the WAV on standard input breaks off in its header.")
            name, size = head[:4], struct.unpack("<I", head[4:])[0]
            if name == b"data":
                break
            if size > _MOST:
                raise BadInput(f"the WAV on standard input has a chunk {name!r} of {size} bytes before its samples.")
            content = _read_exactly(self._file, size + size % 2)
            form = content if name == b"fmt " else form
        if len(form) < 16:
            raise BadInput("the WAV on standard input does not say what its samples are.")
        kind, self.channels, self.rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
        if kind == _EXTENSIBLE and len(form) >= 26:
            kind = struct.unpack("<H", form[24:26])[0]
        if (kind, bits) not in _DTYPES or not 1 <= self.channels <= 64:
            raise BadInput(
                f"the WAV on standard input has format {kind} with {bits} bits and {self.channels} channels.",
                hint="It reads whole numbers of 8, 16 or 32 bits and floats of 32: arecord -f S16_LE -r 16000",
            )
        self._dtype = _DTYPES[kind, bits]
        self.described = f"WAV, {bits} bits, {self.rate} Hz, {self.channels} channel{'s' if self.channels > 1 else ''}"


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    """So many bytes, fewer only at the end of the file."""
    data = b""
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data
