"""The pipeline from a sound to notes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypedDict

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.automatic_music_transcription.notes import FramedNote, Note, NoteRules, framed_notes
from edgekit.tasks.common.audio import Audio, open_audio

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


_OPTIONS = tuple(field.name for field in fields(NoteRules))
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
#: Lines of an answer that are shown; seconds of a sound at most.
_SHOWN, _LONGEST = 200, 2 * 3600


class _Drift(TypedDict):
    frames: int
    seconds: float


class Transcriber(Predictor):
    """Notes of a sound, of any instruments.

    `facts`: ``sample_rate``, ``window`` (samples that the network takes), ``overlap`` (frames by which windows overlap,
    of which each side gives up half), ``frame`` (samples), ``frames_per_second`` (as whole frames are counted),
    ``lowest`` (MIDI pitch of the first key), ``drift`` {"frames", "seconds"} (a window's frames last a little less
    than they count), ``rules``.

    `predict` takes the options of `NoteRules` and ``out``: a .mid or .json file that the notes are written to.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network = parts["network"]
        self._rate, self._window = fact_of(facts, "sample_rate", int), fact_of(facts, "window", int)
        self._half, self._frame = fact_of(facts, "overlap", int) // 2, fact_of(facts, "frame", int)
        self._fps, self._lowest = fact_of(facts, "frames_per_second", int), fact_of(facts, "lowest", int)
        self._drift = fact_of(facts, "drift", _Drift)
        self._rules = fact_of(facts, "rules", NoteRules)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Transcribe a sound (see `edgekit.tasks.common.audio.open_audio`).

        Returns:
            A Prediction: such as ``"12 notes from 0.02 to 5.31 s"``; details ``events`` (``start`` and ``end`` in
            seconds, ``pitch`` as MIDI counts, ``velocity`` 1..127), in order of their starts, ``lines``; units
            audio_seconds; the score is the notes, for the metric ``onset-f1``.

        Raises:
            BadInput: the sound cannot be read or is longer than two hours; an option is unknown or has a wrong value.
        """
        progress, out = options.pop("progress", None) or (lambda done, total: None), options.pop("out", "")
        check_names(options, ("out", *_OPTIONS))
        rules = replace(self._rules, **options)
        write = _writer(out)
        audio = open_audio(sample, self._rate)
        if audio.seconds > _LONGEST:
            raise BadInput("the sound is longer than two hours.", hint="Cut it into pieces.")
        onsets, frames, samples = [], [], 0
        for window, samples in self._windows(audio):
            made = self._network({"audio": window[None, :, None]})
            onsets.append(made["onset"][0, self._half : -self._half])
            frames.append(made["note"][0, self._half : -self._half])
            progress(samples / self._rate, audio.seconds)
        count = samples * self._fps // self._rate
        found = framed_notes(np.concatenate(frames)[:count], np.concatenate(onsets)[:count], rules)
        notes = sorted((self._note_in_seconds(note) for note in found), key=lambda note: (note["start"], note["pitch"]))
        write(notes)
        details = {"events": notes, "lines": _lines(notes), "seconds": samples / self._rate, "notes": list(audio.notes)}
        return Prediction(_describe_notes(notes), details, {"audio_seconds": samples / self._rate}, score=notes)

    def _windows(self, audio: Audio) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Windows float32 [window], the first beginning half an overlap before the sound, the last filled with zeros;
        and the samples of the sound so far."""
        before = self._half * self._frame
        hop, start, samples = self._window - 2 * before, -before, 0
        while start < samples or not start + before:
            held = audio.window(max(0, start), self._window + min(0, start))
            samples = max(samples, max(0, start) + len(held))
            if start >= samples:
                return
            window = np.zeros(self._window, np.float32)
            window[max(0, -start) : max(0, -start) + len(held)] = held
            yield window, samples
            start += hop

    def _note_in_seconds(self, note: FramedNote) -> Note:
        start, end, velocity = self._seconds(note.start), self._seconds(note.end), max(1, round(127 * note.strength))
        return {"start": start, "end": end, "pitch": note.key + self._lowest, "velocity": velocity}

    def _seconds(self, frame: int) -> float:
        return max(0.0, frame * self._frame / self._rate - frame // self._drift["frames"] * self._drift["seconds"])


def _writer(out: Any) -> Any:
    """What writes notes to the file `out`; the name is judged before the work."""
    from edgekit.common.files import replacing
    from edgekit.tasks.automatic_music_transcription.transcriber import midi_file

    if not out:
        return lambda notes: None
    file = Path(str(out))
    makers: dict[str, Callable[..., bytes]] = {".mid": midi_file, ".json": lambda x: json.dumps(x, indent=1).encode()}
    if file.suffix.lower() not in makers:
        raise BadInput(f"notes are written as {' or '.join(makers)}, not as {file.name!r}.")

    def write(notes: list[Note]) -> None:
        with replacing(file) as fresh:
            fresh.write_bytes(makers[file.suffix.lower()](notes))

    return write


def _lines(notes: list[Note]) -> list[str]:
    shown = [
        f"[{note['start']:8.2f} - {note['end']:8.2f}] {_NAMES[note['pitch'] % 12]}{note['pitch'] // 12 - 1}"
        for note in notes[:_SHOWN]
    ]
    return [*shown, *([f"and {len(notes) - _SHOWN} more: --out notes.mid"] if len(notes) > _SHOWN else [])]


def _describe_notes(notes: list[Note]) -> str:
    if not notes:
        return "no notes"
    count = f"{len(notes)} notes" if len(notes) > 1 else "1 note"
    return f"{count} from {notes[0]['start']:.2f} to {max(note['end'] for note in notes):.2f} s"
