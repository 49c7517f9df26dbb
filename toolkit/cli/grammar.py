"""The grammar of the command line."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from edgekit import __version__
from edgekit.cli import options as of
from edgekit.errors import EdgekitError
from edgekit.registry import ROOMS


class _Parser(argparse.ArgumentParser):
    """A parser whose help ends with the text of `late`, called for help only: it reads the registry."""

    late: Callable[[], str] | None = None

    def flag(self, name: str, text: str) -> None:
        """An option without a value; off where it is not given."""
        self.add_argument(name, action="store_true", help=text)

    def option(self, name: str, value: str | None, text: str, kind: Any = None, **more: Any) -> None:
        """An option with a value. `value`: what help calls it; None: the option's name. `kind`: reads it."""
        self.add_argument(name, metavar=value, help=text, type=kind, **more)

    def options(self, names: str, value: str, text: str, kind: Any = None, **more: Any) -> None:
        """An option that may come several times. `names`: its short and its long one, with a slash between."""
        self.add_argument(*names.split("/"), action="append", default=[], metavar=value, help=text, type=kind, **more)

    def format_help(self) -> str:
        if self.late is not None:
            self.epilog = self.late()
        return super().format_help()


class _Completions(argparse.Action):
    """Prints the completions of a shell, with the names that are known today."""

    def __call__(self, top: argparse.ArgumentParser, _: argparse.Namespace, shell: Any, option: Any = None) -> NoReturn:
        import shtab

        from edgekit.registry import names

        kinds: dict[str, Any] = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY, "PATH": shtab.FILE, "INPUT": shtab.FILE}
        for action in _actions(top):
            if action.dest in ("model", "target", "runtime", "exporter", "task"):
                action.choices = names(f"{action.dest}s")
            elif action.dest == "bundle":
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
            elif (what := str(action.metavar).partition(".")[0]) in kinds:
                action.complete = kinds[what]  # type: ignore[attr-defined]
        print(shtab.complete(top, shell))
        top.exit()


def _actions(cmd: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of its verbs."""
    for action in cmd._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from _actions(verb)


def _forms() -> str:
    """The forms of `package`, by target."""
    from edgekit.registry import find, names

    targets_of: dict[str, list[str]] = {}
    for target in names("targets"):
        with contextlib.suppress(EdgekitError):  # a broken target of another package has no forms
            forms = ", ".join(sorted(find("targets", target).forms))
            targets_of.setdefault(forms, []).append(target)
    lines = [f"{', '.join(targets)}: {forms}" for forms, targets in targets_of.items() if forms]
    return f"Forms of every bundle: zip. Further forms, by target: {'; '.join(lines)}."


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    top = _Parser(
        prog="edgekit", description="Export, quantize, verify and benchmark small pretrained models on their devices."
    )
    top.add_argument("--version", action="version", version=f"edgekit {__version__}")
    top.add_argument(
        "--completions", action=_Completions, choices=("bash", "zsh", "fish"), help="print completions for your shell"
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB")

    def verb(name: str, text: str) -> _Parser:
        cmd = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        cmd.flag("--json", "print one JSON document instead of text")
        cmd.set_defaults(verb=f"{name}_")
        return cmd

    def budgets(cmd: _Parser) -> None:
        cmd.option("--board", "NAME", "board or chip, such as nucleo-l4r5zi or sm8650")
        cmd.option("--flash", "SIZE", "flash budget, such as 1MB (1024 KB); default: the target's", of.size)
        cmd.option("--ram", "SIZE", "RAM budget of the program, such as 256KB or 2GB", of.size)
        cmd.option("--download", "SIZE", "download budget of a phone (default: its store's limit)", of.size)

    def runtimes(cmd: _Parser) -> None:
        cmd.option("--runtime", None, "what runs it there (default: the target's); see `edgekit list runtimes`")
        cmd.option("--exporter", None, "alias of --runtime for this release: the first that takes the format")

    def source_options(cmd: _Parser) -> None:
        cmd.add_argument("model", metavar="SOURCE", help=_SOURCE)
        cmd.option("--task", None, "the model's task, if its source names none: `edgekit list tasks`", default="")
        cmd.options("--dynamic", "AXIS=LEAST..MOST", _DYNAMIC, of.axis)
        cmd.flag("--trust-code", "run the source's own code, in a process of its own")
        cmd.flag("--offline", "use only cached files")

    def comparison(cmd: _Parser) -> None:
        cmd.options("--max-regression", "[METRIC=]FRACTION", _REGRESSION)
        cmd.option("--markdown", "FILE", "write the comparison as Markdown, for a pull request")
        cmd.option("--junit", "FILE", "write the comparison as JUnit XML")
        cmd.option("--pytest-benchmark", "FILE", "write the measurements as pytest-benchmark JSON")

    cmd = verb("list", "list models, tasks, targets, exporters, runtimes, importers and families")
    kinds = f"{', '.join(tuple(ROOMS)[:-1])} or {tuple(ROOMS)[-1]}"
    cmd.add_argument("room", nargs="?", choices=tuple(ROOMS), metavar="KIND", help=f"{kinds} (default: all)")

    cmd = verb("inspect", "describe a model: task, inputs, outputs, operators, licence; fetches no weights")
    source_options(cmd)

    cmd = verb("init", "write a commented Python file to begin with: build(), examples(), a metric")
    cmd.add_argument("file", metavar="FILE.py", help="the file to write")
    cmd.flag("--force", "replace the file that is there")

    cmd = verb("fit", "predict whether a model fits a target, before any download")
    source_options(cmd)
    cmd.option("--target", None, "device class to check (default: all); see `edgekit list targets`")
    cmd.option("--precision", None, _PRECISION)
    runtimes(cmd)
    cmd.option("--measured", "FILE", "a bench report of such a device, to predict the speed")
    budgets(cmd)

    cmd = verb("export", "make a bundle of a model for a target")
    source_options(cmd)
    cmd.option("--target", None, "device class (default: the board's, else laptop); see `edgekit list targets`")
    cmd.option("--precision", None, f"{_PRECISION}; auto: search for the smallest that passes")
    within = "search: largest bundle, such as 60MB (decimal); without --max-loss the least loss within it wins"
    cmd.option("--max-size", "SIZE", within, of.decimal)
    cmd.option("--max-latency", "TIME", "search: slowest answer here, such as 200ms", of.seconds)
    loss = "search: largest share of answers that differ from fp32's (%%), or loss in points of the metric"
    cmd.option("--max-loss", "POINTS", loss, float)
    cmd.option("--minutes", "N", "search: start no trial after so many minutes (20)", float)
    cmd.option("--workers", "dask://HOST:PORT", "search: try recipes on a pool of machines (Dask)")
    runtimes(cmd)
    cmd.option("--weights", "PATH", "your checkpoint: a path, hf://OWNER/REPO or https://...")
    cmd.option("--adapter", "DIR", "LoRA adapter in PEFT's form, merged into the weights")
    cmd.option("--calibration", "DIR", "real samples for calibration (default: the task's evidence)")
    cmd.option("--data", "DIR", "labelled samples for the accuracy gate")
    cmd.option("--metric", "FILE.py:NAME", "your metric on --data: (answers, truths) -> numbers")
    own = "real samples that judge (and calibrate) in place of edgekit's own; edgekit:full fetches more of these"
    cmd.option("--evidence", "DIR", own)
    cmd.flag("--no-evidence", "do not compare answers with fp32 on the evidence")
    cmd.option("--out", "DIR", "the bundle's folder (default: MODEL-TARGET-PRECISION)")
    cmd.flag("--dry-run", "show what would be done; fetches no weights")
    cmd.flag("--force", "replace even a bundle of another model or target")
    cmd.option("--mirror", "DIR", "folder to take pinned files from, by sha256 (EDGEKIT_MIRROR)")
    cmd.flag("--no-fallback", "fail if the recipe is refused; try no other")
    cmd.options("-o/--option", "NAME=VALUE", "option, such as weights=per-tensor")
    cmd.option("--max-kld", "NATS", "maximum KL divergence per token, in nats (0.05)", float)
    placed = "fail if the board's accelerator, or XNNPACK, takes less of a part's multiplications, such as 95%%"
    cmd.option("--require-placed", "SHARE", placed, of.share)
    cmd.options("--accept-terms", "NAME", "accept these terms of use")
    cmd.option("--false-alarms-per-hour", "N", "set a detector's threshold to this rate on --data", float)
    budgets(cmd)

    cmd = verb("verify", "check a bundle: hashes, structure, parity, and accuracy on --data")
    cmd.add_argument("bundle", help="folder of a bundle")
    cmd.option("--data", "DIR", "labelled samples, to measure accuracy")
    cmd.option("--metric", "FILE.py:NAME", "your metric on --data, as at the export", default="")
    cmd.option("--evidence", "DIR", "the samples of --evidence at the export, to repeat agreement")

    cmd = verb("run", "run a bundle on inputs and print the answers; a language model without an input starts a chat")
    cmd.add_argument("bundle", help="folder of a bundle")
    what = "sound, picture or .npz file, or text; -: sound from a pipe"
    cmd.add_argument("inputs", nargs="*", metavar="INPUT", help=what)
    cmd.option("--out", "FILE", "write the answer: .npz (arrays), .srt, .vtt, .json or .txt (speech)")
    cmd.add_argument(
        "--vad",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="transcribe only where somebody speaks (default: in sounds longer than 30 s)",
    )
    cmd.flag("--words", "times of words (speech recognition)")
    cmd.option("--show", "FILE.png", "draw the answer: boxes, masks, points, curves, text")
    cmd.option("--schema", "FILE.json", "JSON schema that the answer keeps to (text-generation)")
    cmd.option("--threads", None, "processor threads (default: all usable processors)", of.count)
    cmd.options("-o/--option", "NAME=VALUE", "such as language=en, timestamps=true")

    cmd = verb("bench", "measure a bundle, two bundles in turns (--vs), or a matrix (--models, --targets)")
    cmd.add_argument("bundle", nargs="?", help="folder of a bundle; leave it out for a matrix")
    cmd.option("--vs", "BASE", "second bundle: both are measured in turns and compared")
    cmd.options("--input", "FILE", "inputs to measure with (default: the golden input)", nargs="+")
    cmd.flag("--synthetic", "noise shaped like the golden input; the report says so")
    cmd.option("--threads", "N[,N]", "processor threads, one or more counts (default: all)", of.counts, default=[])
    cmd.option("--device", None, "where to measure: host, adb or adb:SERIAL (default: the target's device)")
    cmd.option("--processes", None, "number of fresh processes (5; with --vs: 10 per bundle)", of.count)
    cmd.option("--loops", None, "most rounds over the inputs per process (default: until --seconds)", of.count)
    cmd.option("--warmups", None, "most warm-up rounds, fewer if steady (10)", of.count, default=10)
    cmd.option("--seconds", None, "measured time per process (3)", float, default=3.0)
    cmd.option("--limit", "SECONDS", "time limit per process (600)", float, default=600.0)
    cmd.option("--memory", "SIZE", "memory limit per process, such as 1500MB", of.size)
    cmd.option("--contexts", "N,N", "language models: context lengths to generate at; 0: none", of.lengths)
    cmd.option("--models", "A,B", "matrix: export and measure these models, or all", of.names, default=[])
    cmd.option("--targets", "X,Y", "matrix: for these targets, or all", of.names, default=[])
    cmd.option("--precisions", "P,Q", "matrix: in these precisions", of.names, default=[])
    for name, kind in (("calibration", "DIR"), ("data", "DIR"), ("weights", "PATH")):
        cmd.options(f"--{name}", f"[MODEL=]{kind}", "matrix: as for `edgekit export`, for one model or for all")
    cmd.option("--work", "DIR", "matrix: folder of bundles and results", default="edgekit-matrix")
    cmd.option("--workers", "dask://HOST:PORT", "matrix: measure on a pool of machines (Dask)")
    cmd.option("--out", "FILE", "write the report, for `compare` and `report`")
    comparison(cmd)

    cmd = verb("package", "pack a bundle as a file or a library for apps")
    cmd.late = _forms
    cmd.add_argument("bundle", help="folder of a bundle")
    cmd.option("--as", "FORM", "the form to pack in, as listed below", dest="form", required=True)
    cmd.option("--out", "PATH", "file or folder to write (default: beside the bundle)")
    cmd.options("-o/--option", "NAME=VALUE", "option, such as name=speech")

    cmd = verb("serve", "serve a folder to a browser, on this machine alone unless told: a page of `package --as page`")
    cmd.add_argument("folder", metavar="DIR", help="the folder")
    where = "address to listen at (127.0.0.1); 0.0.0.0: all of this machine"
    cmd.option("--host", None, where, default="127.0.0.1")
    cmd.option("--port", "N", "port (8000); 0: a free one", int, default=8000)
    without = "leave out the headers for threads, as most static hosts do"
    cmd.add_argument("--no-isolation", dest="isolation", action="store_false", help=without)

    cmd = verb("compare", "compare two reports: faster, slower or cannot tell; exits with 7 on a regression")
    cmd.add_argument("base", metavar="BASE.json", help="report of `edgekit bench`, to compare with")
    cmd.add_argument("new", metavar="NEW.json", help="report of `edgekit bench`, to judge")
    cmd.flag("--force", "compare even different models, hosts, inputs or threads")
    comparison(cmd)

    cmd = verb("report", "show reports as a table, or write one HTML file")
    cmd.add_argument("reports", nargs="+", metavar="REPORT.json", help="report of `edgekit bench`")
    cmd.option("--html", "FILE", "write this HTML file instead of a table")

    verb("doctor", "show what this machine can do, and the command that adds the rest")
    return top


_SOURCE = "name of a model (`edgekit list models`), or hf://ORG/MODEL, a folder, FILE.py:build, .onnx, .pt2, .tflite"
_DYNAMIC = "keep an axis of a source dynamic, with its bounds, such as tokens=1..256"
_PRECISION = "such as fp16 or int8 (default: the target's for the runtime, else the first of its format)"
_REGRESSION = "accepted loss, such as 0.05, latency=0.02, flash=0.01, load.*=off (0.03; counts: 0; --vs: no check)"
