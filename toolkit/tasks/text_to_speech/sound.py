"""Sounds of sentences as one, and as a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import Floats, np
from edgekit.errors import BadInput, need

#: Largest sample of a sound.
_PEAK = 0.95
_FORMATS = (".wav", ".flac", ".ogg")


def join_sounds(sentences: Sequence[Sequence[Floats]], pause: int) -> Floats:
    """The sounds of sentences, `pause` samples of silence between them; scaled so that the loudest sample is 0.95, as
    voices differ in level. Values that are no numbers become silence."""
    silence = np.zeros(pause, np.float32)
    sounds = [part for sentence in sentences for part in (*sentence, silence)][:-1]
    sound = np.nan_to_num(np.concatenate(sounds), nan=0.0, posinf=0.0, neginf=0.0)
    loudest = float(np.abs(sound).max())
    scaled: Floats = (sound * (_PEAK / loudest)).astype(np.float32) if loudest > 1e-6 else sound
    return scaled


def writer(out: Any) -> Callable[[Floats, int], None]:
    """What writes a sound to the file `out`, in 16 bits; its name is judged before the work.

    Raises:
        BadInput: a kind of file that is not written.
    """
    from edgekit.common.files import replacing

    if not out:
        return lambda sound, rate: None
    file = Path(str(out))
    if file.suffix.lower() not in _FORMATS:
        raise BadInput(f"sound is written as {', '.join(_FORMATS)}, not as {file.name!r}.")
    with need("run", "Writing sound"):
        import soundfile

    def write(sound: Floats, rate: int) -> None:
        with replacing(file) as fresh:
            soundfile.write(fresh, sound, rate, format=file.suffix[1:].upper())

    return write
