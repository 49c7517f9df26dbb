"""The command line: arguments in, text or JSON out, an exit code. No logic of its own.

Every verb takes ``--json``: one JSON document on standard output, and nothing else there. Progress and warnings go to
standard error. Exit codes are those of `edgekit.errors`, 130 for Ctrl-C.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from edgekit.cli.grammar import parser
from edgekit.errors import EdgekitError, boundary

_INTERRUPTED = "edgekit: interrupted; nothing that was there before has been changed."


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the ``edgekit`` command; ends the process."""
    # SIGTERM (`timeout`, a container that stops) cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name need not be UTF-8, nor a terminal
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Carry out one command line and return its exit code."""
    grammar = parser()
    arguments = grammar.parse_args(argv)
    if arguments.verb is None:
        grammar.print_help()
        return 0
    from edgekit.cli import verbs as verbs_module
    from edgekit.cli.terminal import show_json

    try:
        with boundary():
            code = int(getattr(verbs_module, arguments.verb)(arguments) or 0)
            sys.stdout.flush()  # here, where a closed pipe can still be caught
            return code
    except EdgekitError as exc:
        if os.environ.get("EDGEKIT_DEBUG"):
            raise
        if arguments.json:
            show_json(verbs_module.error_facts(exc))
        print(f"edgekit: {exc}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return 130
    except BrokenPipeError:  # `edgekit ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as exc:
        return _masked(exc)


def _masked(exc: BaseException) -> int:
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
