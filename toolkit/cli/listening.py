"""``run BUNDLE -``: text while sound comes through a pipe."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from edgekit.cli.terminal import show_json
from edgekit.core import Predictor, Stream
from edgekit.errors import BadInput, Unsupported
from edgekit.tasks.automatic_speech_recognition.subtitles import check_ending, write
from edgekit.tasks.common.waves import Pipe

#: Seconds of sound that are read at once, and that may wait before it is said that the text lags behind.
_CHUNK, _LATE = 0.1, 5.0
#: Letters of the words that may change, as far as they are shown.
_WIDTH = 60


def listen(predictor: Predictor, file: BinaryIO, options: Mapping[str, Any], *, as_json: bool) -> int:
    """Print the text of a stream until the pipe closes; returns the exit code.

    Sound is read by a thread of its own: what a slow device cannot follow waits, and nothing is dropped. Ctrl-C ends
    the recording, not the text of what was recorded.

    Raises:
        BadInput: not sound that is read from a pipe. Unsupported: the model takes whole inputs only.
    """
    if file.isatty():
        raise BadInput("standard input is a terminal.", hint="Pipe sound into it: arecord -f S16_LE -r 16000 | ...")
    options = dict(options)
    out = options.pop("out", "")
    if out:
        check_ending(out)
    pipe = Pipe(file)
    stream = predictor.stream(rate=pipe.rate, **options)
    if not isinstance(stream, Stream):
        raise Unsupported("this model does not answer a pipe.", hint="Give a file: edgekit run BUNDLE FILE")
    print(f"edgekit: {pipe.described}; Ctrl-C ends it", file=sys.stderr)
    screen = _Screen()
    code = _listen(stream, pipe, None if as_json else screen)
    prediction = stream.end()
    if out:
        write(prediction, Path(out))
    if as_json:
        show_json([{"input": "-", **asdict(prediction)}])
    else:
        screen.finish(prediction.output)
    return code


def _listen(stream: Stream, pipe: Pipe, screen: _Screen | None) -> int:
    """Feed the stream until the pipe closes or Ctrl-C; the exit code is of the last chunk that was refused, or 0."""
    code = 0
    with contextlib.suppress(KeyboardInterrupt):
        for chunk, waiting in _read(pipe):
            try:
                heard = stream.feed(chunk)
            except BadInput as exc:
                print(f"edgekit: {exc}", file=sys.stderr)
                code = exc.exit_code
                continue
            if screen:
                screen.show(heard.text, heard.pending)
                for note in heard.notes:
                    late = f"; {waiting:.0f} s of sound wait" if waiting > _LATE else ""
                    print(f"edgekit: {note}{late}", file=sys.stderr)
    return code


def _read(pipe: Pipe) -> Iterator[tuple[Any, float]]:
    """Chunks of the pipe, and seconds of sound that wait behind each."""
    waiting: queue.Queue[Any] = queue.Queue()

    def read() -> None:
        try:
            for chunk in pipe.chunks(_CHUNK):
                waiting.put(chunk)
        finally:
            waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (chunk := waiting.get()) is not None:
        yield chunk, waiting.qsize() * _CHUNK


class _Screen:
    """Final words as they come; on a terminal also those that may change, dimmed, which the next ones overwrite."""

    def __init__(self) -> None:
        self._final, self._pending, self._terminal = "", "", sys.stdout.isatty()

    def show(self, text: str, pending: str) -> None:
        self._final = f"{self._final} {text}".strip()
        if not self._terminal:
            if text:
                print(text, flush=True)
        elif text or pending != self._pending:
            self._pending = pending
            final, dim = f"{text} " if text else "", pending[-_WIDTH:]
            # Save the cursor before the words that may change, and go back to it.
            print(f"\x1b[K{final}\x1b7\x1b[2m{dim}\x1b[0m\x1b8", end="", flush=True)

    def finish(self, whole: str) -> None:
        """Print what became final at the end of the sound."""
        rest = whole[len(self._final) :].strip() if whole.startswith(self._final) else ""
        if self._terminal:
            print(f"\x1b[K{rest}")
        elif rest:
            print(rest, flush=True)
