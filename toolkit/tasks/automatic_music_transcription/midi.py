"""Notes as a standard MIDI file of one track (format 0)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from edgekit.tasks.automatic_music_transcription.notes import Note

#: Ticks of a quarter note, which takes half a second: 960 ticks a second.
_TICKS, _TEMPO = 480, 500_000
_PER_SECOND = _TICKS * 1_000_000 // _TEMPO


def midi_file(notes: Sequence[Note]) -> bytes:
    """The bytes of the file."""
    events = []
    for note in notes:
        pitch, velocity = int(note["pitch"]), min(127, max(1, int(note["velocity"])))
        start, end = (round(seconds * _PER_SECOND) for seconds in (note["start"], note["end"]))
        events.append((start, 1, bytes((0x90, pitch, velocity))))
        events.append((max(end, start + 1), 0, bytes((0x80, pitch, 0))))
    events.sort()  # at the same tick a note ends before one begins
    body, now = b"\x00\xff\x51\x03" + _TEMPO.to_bytes(3, "big"), 0
    for tick, _, message in events:
        body += _quantity(tick - now) + message
        now = tick
    body += b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS) + b"MTrk" + struct.pack(">I", len(body)) + body


def _quantity(value: int) -> bytes:
    """A number in groups of 7 bits, of which all but the last have the highest bit set."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
