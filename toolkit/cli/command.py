"""The command line: arguments in, text or JSON out, an exit code. No logic of its own.

Every verb takes ``--json``: one JSON document on standard output, and nothing else there. Progress and warnings go to
standard error. Exit codes are those of `edgekit.errors`, 130 for Ctrl-C.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from edgekit.cli.grammar import parser
from edgekit.errors import BadInput, EdgekitError, boundary

_OUTPUT = "standard output"
#: Verbs that answer before the rest is loaded.
_FIRST = ("list_", "fit_")
_INTERRUPTED = "edgekit: interrupted; nothing that was there before has been changed."


class _Output(io.TextIOWrapper):
    """Standard output whose errors bear its name: an error of a full disk does not say which file is meant."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        # A file name need not be UTF-8, nor a terminal.
        super().__init__(
            stream.buffer, stream.encoding, "backslashreplace", None, stream.line_buffering, stream.write_through
        )

    def write(self, text: str, /) -> int:
        with _label_output_errors():
            return super().write(text)

    def flush(self) -> None:
        with _label_output_errors():
            super().flush()


@contextlib.contextmanager
def _label_output_errors() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        exc.filename = _OUTPUT
        raise


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the ``edgekit`` command; ends the process."""
    # SIGTERM (`timeout`, a container that stops) cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if sys.stderr is None:  # closed: print() would write to standard output in its place
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  it lives as long as the process
    if sys.stdout is None:  # closed: the next file that is opened would get all that is printed
        print("edgekit: standard output is closed.\n  To drop it: > /dev/null", file=sys.stderr)
        sys.exit(BadInput.exit_code)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _Output(sys.stdout)
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Carry out one command line and return its exit code."""
    grammar, as_json = parser(), False
    try:
        with boundary():
            try:
                arguments = grammar.parse_args(argv)
                if arguments.verb is None:
                    grammar.print_help()
            finally:  # help and completions leave from within
                sys.stdout.flush()  # here, where a closed pipe can still be caught
            if arguments.verb is None:
                return 0
            as_json = arguments.json
            place = "choosing" if arguments.verb in _FIRST else "verbs"
            code = int(getattr(import_module(f"edgekit.cli.{place}"), arguments.verb)(arguments) or 0)
            sys.stdout.flush()
            return code
    except EdgekitError as exc:
        if os.environ.get("EDGEKIT_DEBUG"):
            raise
        told = _add_hint(exc)
        if as_json:
            from edgekit.cli.terminal import error_facts, show_json

            with contextlib.suppress(OSError):  # the text below says it, too
                show_json(error_facts(told))
        _drain()
        print(f"edgekit: {told}", file=sys.stderr)
        return told.exit_code
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return 130
    except BrokenPipeError:  # `edgekit ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as exc:
        return _interrupt_exit_code(exc)


def _add_hint(exc: EdgekitError) -> EdgekitError:
    """The error; of the system's errors, with the way out where standard output or the cache is what failed."""
    cause = exc.__cause__
    if not isinstance(cause, OSError):
        return exc
    if cause.filename == _OUTPUT:
        hint = "Write to another place: edgekit ... > FILE"
        return type(exc)(f"{_OUTPUT} cannot be written: {cause.strerror}.", hint=hint)
    from edgekit.common.files import cache_folder

    folder = cache_folder().absolute()
    if isinstance(cause.filename, str) and Path(cause.filename).absolute().is_relative_to(folder):
        hint = f"The cache is {folder}. Choose another: EDGEKIT_CACHE=FOLDER edgekit ..."
        return type(exc)(exc.message, hint=hint)
    return exc


def _drain() -> None:
    """Write what was printed; drop it where standard output does not take it: Python would try again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt_exit_code(exc: BaseException) -> int:
    """The exit code of a Ctrl-C or SIGTERM that is hidden by `exc`, an error in a library's clean-up.

    For example, numpy closes its zip file while a member is still being written; that ValueError hides the interrupt.
    """
    cause: BaseException | None = exc
    while cause is not None and not isinstance(cause, KeyboardInterrupt | SystemExit):
        cause = cause.__context__
    if cause is None:
        raise exc
    if isinstance(cause, SystemExit):
        return int(cause.code or 0)
    print(_INTERRUPTED, file=sys.stderr)
    return 130
