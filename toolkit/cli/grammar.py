"""The grammar of the command line."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable

from edgekit import __version__
from edgekit.errors import EdgekitError

__all__ = ["parser"]


class _Parser(argparse.ArgumentParser):
    """A parser whose help ends with what `late` gives, which is asked only then: it looks at the registry."""

    late: Callable[[], str] | None = None

    def format_help(self) -> str:
        if self.late is not None:
            self.epilog = self.late()
        return super().format_help()


def _forms() -> str:
    """What `package` can make, by target."""
    from edgekit.registry import find, names

    having: dict[str, list[str]] = {}
    for target in names("targets"):
        with contextlib.suppress(EdgekitError):  # another package's that is broken has no form
            forms = ", ".join(sorted(find("targets", target).forms))
            having.setdefault(forms, []).append(target)
    of_targets = [f"{', '.join(targets)}: {forms}" for forms, targets in having.items() if forms]
    return f"Forms of every bundle: zip. Of those for {'; for '.join(of_targets)}."


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    top = _Parser(
        prog="edgekit", description="Export, quantize, verify and benchmark small pretrained models on their devices."
    )
    top.add_argument("--version", action="version", version=f"edgekit {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB")

    def verb(name: str, text: str) -> _Parser:
        one = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        one.add_argument("--json", action="store_true", help="print one JSON document instead of text")
        one.set_defaults(verb=f"{name}_")
        return one

    def budgets(one: argparse.ArgumentParser) -> None:
        one.add_argument("--board", metavar="NAME", help="a microcontroller board, for its flash and RAM")
        one.add_argument(
            "--flash", type=_bytes, metavar="SIZE", help="instead of the target's, such as 1MB (of 1024 KB)"
        )
        one.add_argument("--ram", type=_bytes, metavar="SIZE", help="of the program, not the device: 256KB, 2GB")
        one.add_argument(
            "--download", type=_bytes, metavar="SIZE", help="of a phone, instead of what its store delivers"
        )

    def comparison(one: argparse.ArgumentParser) -> None:
        one.add_argument(
            "--max-regression",
            action="append",
            default=[],
            metavar="[METRIC=]FRACTION",
            help="accepted loss (0.03), such as 0.05, latency=0.02, load.*=off; bench --vs judges only if it is given",
        )
        one.add_argument("--markdown", metavar="FILE", help="the comparison for a pull request")
        one.add_argument("--junit", metavar="FILE", help="the comparison as JUnit XML")
        one.add_argument("--pytest-benchmark", metavar="FILE", help="what was measured, as pytest-benchmark's JSON")

    one = verb("list", "what there is: models, tasks, targets, exporters")
    one.add_argument("room", nargs="?", choices=("models", "tasks", "targets", "exporters"))

    one = verb("fit", "will a model fit a target, before any download")
    one.add_argument("model")
    one.add_argument("--target", help="one target; all of them if not given")
    one.add_argument("--precision")
    one.add_argument("--exporter")
    one.add_argument("--measured", metavar="FILE", help="a report of `edgekit bench` on such a device, for the speed")
    budgets(one)

    one = verb("export", "make a bundle of a model for a target")
    one.add_argument("model")
    one.add_argument("--target", help="default: the board's processor, else laptop")
    one.add_argument("--precision", help="instead of the target's default; auto: a language model's smallest good one")
    one.add_argument("--exporter")
    one.add_argument("--weights", metavar="PATH", help="your own checkpoint: a path, hf://OWNER/REPO or https://...")
    one.add_argument(
        "--calibration", metavar="DIR", help="real samples that join the golden one when layers are chosen"
    )
    one.add_argument("--data", metavar="DIR", help="labelled samples for the accuracy gate")
    one.add_argument("--out", metavar="DIR", help="the bundle's folder (default: MODEL-TARGET-PRECISION)")
    one.add_argument("--force", action="store_true", help="replace a bundle of another model or target, too")
    one.add_argument("--offline", action="store_true", help="use only what is cached")
    one.add_argument(
        "--mirror", metavar="DIR", help="look up pinned files there by sha256, before any network (EDGEKIT_MIRROR)"
    )
    one.add_argument("--no-fallback", action="store_true", help="fail where the gate refuses the recipe")
    one.add_argument(
        "-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="of the recipe: weights=per-tensor"
    )
    one.add_argument("--max-kld", type=float, metavar="NATS", help="what a language model may lose a token (0.05)")
    one.add_argument("--accept-terms", action="append", default=[], metavar="NAME", help="terms of use that you accept")
    one.add_argument(
        "--false-alarms-per-hour", type=float, metavar="N", help="choose a detector's threshold for this, on --data"
    )
    budgets(one)

    one = verb("verify", "prove a bundle again: hashes, structure, parity, and accuracy on --data")
    one.add_argument("bundle")
    one.add_argument("--data", metavar="DIR")

    one = verb("run", "feed inputs to a bundle and print its answers")
    one.add_argument("bundle")
    one.add_argument("inputs", nargs="+", metavar="INPUT")
    one.add_argument("--threads", type=_count)
    one.add_argument(
        "-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="such as language=en, timestamps=true"
    )

    one = verb("bench", "measure a bundle, two in turns (--vs), or a matrix (--models, --targets)")
    one.add_argument("bundle", nargs="?")
    one.add_argument("--vs", metavar="BASE", help="another bundle: both are measured in turns, and compared")
    one.add_argument(
        "--input", action="append", default=[], metavar="FILE", nargs="+", help="default: the golden input"
    )
    one.add_argument("--synthetic", action="store_true", help="noise in the golden input's form; reports are labelled")
    one.add_argument("--threads", type=_counts, default=[], metavar="N[,N]", help="default: all usable processors")
    one.add_argument("--device", help="where to measure: host, the target's own (default), adb, adb:SERIAL")
    one.add_argument("--processes", type=_count, help="fresh processes, one after another (5; with --vs 10 of each)")
    one.add_argument("--loops", type=_count, help="rounds over the inputs in each, at most (as many as --seconds hold)")
    one.add_argument("--warmups", type=_count, default=10, help="rounds before them, at most, until steady (10)")
    one.add_argument("--seconds", type=float, default=3.0, help="of measured time in each (3)")
    one.add_argument("--limit", type=float, default=600.0, metavar="SECONDS", help="one process may take (600)")
    one.add_argument("--memory", type=_bytes, metavar="SIZE", help="one process may hold, such as 1500MB")
    one.add_argument(
        "--contexts", type=_lengths, metavar="N,N", help="a language model's: generate after so many tokens; 0: not"
    )
    one.add_argument(
        "--models", type=_names, default=[], metavar="A,B", help="a matrix: these, exported and measured, or all"
    )
    one.add_argument("--targets", type=_names, default=[], metavar="X,Y", help="... for these targets, or all")
    one.add_argument("--precisions", type=_names, default=[], metavar="P,Q", help="... in these, not the default")
    for name, what in (("calibration", "DIR"), ("data", "DIR"), ("weights", "PATH")):
        one.add_argument(
            f"--{name}", action="append", default=[], metavar=f"[MODEL=]{what}", help="... as for `edgekit export`"
        )
    one.add_argument("--work", default="edgekit-matrix", metavar="DIR", help="... bundles and what is done so far")
    one.add_argument("--workers", metavar="dask://HOST:PORT", help="... on a pool of machines")
    one.add_argument("--out", metavar="FILE", help="write the report here, for `compare` and `report`")
    comparison(one)

    one = verb("package", "a bundle in another form")
    one.late = _forms
    one.add_argument("bundle")
    one.add_argument(
        "--as",
        dest="form",
        required=True,
        metavar="FORM",
        help="see below",
    )
    one.add_argument("--out", metavar="PATH", help="default: beside the bundle")
    one.add_argument(
        "-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="of the form, such as name=speech"
    )

    one = verb("compare", "faster, slower or cannot tell; exits with 7 on a regression")
    one.add_argument("base", metavar="BASE.json")
    one.add_argument("new", metavar="NEW.json")
    one.add_argument("--force", action="store_true", help="compare even different hosts, inputs or threads")
    comparison(one)

    one = verb("report", "reports as a table, or as one HTML file")
    one.add_argument("reports", nargs="+", metavar="REPORT.json")
    one.add_argument("--html", metavar="FILE")

    verb("doctor", "what this machine can do, and the command that adds the rest")
    return top


def _names(text: str) -> list[str]:
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of names such as a,b")
    return found


def _counts(text: str) -> list[int]:
    return [_count(name) for name in text.split(",")]


def _lengths(text: str) -> list[int]:
    return [] if text.strip() == "0" else _counts(text)


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


_UNITS: dict[str, int] = {"": 1, "b": 1} | {
    letter + rest: 1024**power for power, letter in enumerate("kmg", 1) for rest in ("", "b", "ib")
}


def _bytes(text: str) -> int:
    """A memory size as makers of chips write it: 256KB is 256 * 1024 bytes."""
    number = text.rstrip("BbIiKkMmGg")
    try:
        value = round(float(number) * _UNITS[text[len(number) :].lower()])
    except (ValueError, KeyError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 2GB, 1MB, 256KB or 65536") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} holds nothing; give a size such as 1MB or 256KB")
    return value
