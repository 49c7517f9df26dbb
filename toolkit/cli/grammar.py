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
        cmd.add_argument("--json", action="store_true", help="print one JSON document instead of text")
        cmd.set_defaults(verb=f"{name}_")
        return cmd

    def budgets(cmd: argparse.ArgumentParser) -> None:
        cmd.add_argument("--board", metavar="NAME", help="board or chip, such as nucleo-l4r5zi or sm8650")
        cmd.add_argument(
            "--flash",
            type=of.size,
            metavar="SIZE",
            help="flash budget, such as 1MB (1024 KB); default: the target's",
        )
        cmd.add_argument("--ram", type=of.size, metavar="SIZE", help="RAM budget of the program, such as 256KB or 2GB")
        cmd.add_argument(
            "--download",
            type=of.size,
            metavar="SIZE",
            help="download budget of a phone (default: its store's limit)",
        )

    def runtimes(cmd: argparse.ArgumentParser) -> None:
        cmd.add_argument("--runtime", help="what runs it there (default: the target's); see `edgekit list runtimes`")
        cmd.add_argument("--exporter", help="alias of --runtime for this release: the first that takes the format")

    def source_options(cmd: argparse.ArgumentParser) -> None:
        cmd.add_argument("model", metavar="SOURCE", help=_SOURCE)
        cmd.add_argument("--task", default="", help="the model's task, if its source names none: `edgekit list tasks`")
        cmd.add_argument(
            "--dynamic", action="append", default=[], type=of.axis, metavar="AXIS=LEAST..MOST", help=_DYNAMIC
        )
        cmd.add_argument("--trust-code", action="store_true", help="run the source's own code, in a process of its own")
        cmd.add_argument("--offline", action="store_true", help="use only cached files")

    def comparison(cmd: argparse.ArgumentParser) -> None:
        cmd.add_argument(
            "--max-regression",
            action="append",
            default=[],
            metavar="[METRIC=]FRACTION",
            help="accepted loss, such as 0.05, latency=0.02, flash=0.01, load.*=off (0.03; counts: 0; --vs: no check)",
        )
        cmd.add_argument("--markdown", metavar="FILE", help="write the comparison as Markdown, for a pull request")
        cmd.add_argument("--junit", metavar="FILE", help="write the comparison as JUnit XML")
        cmd.add_argument("--pytest-benchmark", metavar="FILE", help="write the measurements as pytest-benchmark JSON")

    cmd = verb("list", "list models, tasks, targets, exporters, runtimes, importers and families")
    kinds = f"{', '.join(tuple(ROOMS)[:-1])} or {tuple(ROOMS)[-1]}"
    cmd.add_argument("room", nargs="?", choices=tuple(ROOMS), metavar="KIND", help=f"{kinds} (default: all)")

    cmd = verb("inspect", "describe a model: task, inputs, outputs, operators, licence; fetches no weights")
    source_options(cmd)

    cmd = verb("init", "write a commented Python file to begin with: build(), examples(), a metric")
    cmd.add_argument("file", metavar="FILE.py", help="the file to write")
    cmd.add_argument("--force", action="store_true", help="replace the file that is there")

    cmd = verb("fit", "predict whether a model fits a target, before any download")
    source_options(cmd)
    cmd.add_argument("--target", help="device class to check (default: all); see `edgekit list targets`")
    cmd.add_argument(
        "--precision",
        help="such as fp16 or int8 (default: the target's; if --runtime names another: its format's first)",
    )
    runtimes(cmd)
    cmd.add_argument("--measured", metavar="FILE", help="a bench report of such a device, to predict the speed")
    budgets(cmd)

    cmd = verb("export", "make a bundle of a model for a target")
    source_options(cmd)
    cmd.add_argument("--target", help="device class (default: the board's, else laptop); see `edgekit list targets`")
    cmd.add_argument(
        "--precision",
        help="such as fp16 or int8 (default: the target's; if --runtime names another: its format's first); "
        "auto: search for the smallest that passes",
    )
    cmd.add_argument(
        "--max-size",
        type=of.decimal,
        metavar="SIZE",
        help="search: largest bundle, such as 60MB (decimal); without --max-loss the least loss within it wins",
    )
    cmd.add_argument(
        "--max-latency", type=of.seconds, metavar="TIME", help="search: slowest answer here, such as 200ms"
    )
    cmd.add_argument(
        "--max-loss",
        type=float,
        metavar="POINTS",
        help="search: largest share of answers that differ from fp32's (%%), or loss in points of the metric",
    )
    cmd.add_argument("--minutes", type=float, metavar="N", help="search: start no trial after so many minutes (20)")
    cmd.add_argument("--workers", metavar="dask://HOST:PORT", help="search: try recipes on a pool of machines (Dask)")
    runtimes(cmd)
    cmd.add_argument("--weights", metavar="PATH", help="your checkpoint: a path, hf://OWNER/REPO or https://...")
    cmd.add_argument("--adapter", metavar="DIR", help="LoRA adapter in PEFT's form, merged into the weights")
    cmd.add_argument("--calibration", metavar="DIR", help="real samples for calibration (default: the task's evidence)")
    cmd.add_argument("--data", metavar="DIR", help="labelled samples for the accuracy gate")
    cmd.add_argument("--metric", metavar="FILE.py:NAME", help="your metric on --data: (answers, truths) -> numbers")
    cmd.add_argument(
        "--evidence",
        metavar="DIR",
        help="real samples that judge (and calibrate) in place of edgekit's own; edgekit:full fetches more of these",
    )
    cmd.add_argument("--no-evidence", action="store_true", help="do not compare answers with fp32 on the evidence")
    cmd.add_argument("--out", metavar="DIR", help="the bundle's folder (default: MODEL-TARGET-PRECISION)")
    cmd.add_argument("--dry-run", action="store_true", help="show what would be done; fetches no weights")
    cmd.add_argument("--force", action="store_true", help="replace even a bundle of another model or target")
    cmd.add_argument("--mirror", metavar="DIR", help="folder to take pinned files from, by sha256 (EDGEKIT_MIRROR)")
    cmd.add_argument("--no-fallback", action="store_true", help="fail if the gate refuses the recipe")
    cmd.add_argument(
        "-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="option, such as weights=per-tensor"
    )
    cmd.add_argument("--max-kld", type=float, metavar="NATS", help="maximum KL divergence per token, in nats (0.05)")
    cmd.add_argument(
        "--require-placed",
        type=of.share,
        metavar="SHARE",
        help="fail if the board's accelerator, or XNNPACK, takes less of a part's multiplications, such as 95%%",
    )
    cmd.add_argument("--accept-terms", action="append", default=[], metavar="NAME", help="accept these terms of use")
    cmd.add_argument(
        "--false-alarms-per-hour", type=float, metavar="N", help="set a detector's threshold to this rate on --data"
    )
    budgets(cmd)

    cmd = verb("verify", "check a bundle: hashes, structure, parity, and accuracy on --data")
    cmd.add_argument("bundle", help="folder of a bundle")
    cmd.add_argument("--data", metavar="DIR", help="labelled samples, to measure accuracy")
    cmd.add_argument("--metric", metavar="FILE.py:NAME", default="", help="your metric on --data, as at the export")
    cmd.add_argument("--evidence", metavar="DIR", help="the samples of --evidence at the export, to repeat agreement")

    cmd = verb("run", "run a bundle on inputs and print the answers; a language model without an input starts a chat")
    cmd.add_argument("bundle", help="folder of a bundle")
    cmd.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="sound, picture or .npz file, or text; -: sound from a pipe"
    )
    cmd.add_argument(
        "--out", metavar="FILE", help="write the answer: .npz (arrays), .srt, .vtt, .json or .txt (speech)"
    )
    cmd.add_argument(
        "--vad",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="transcribe only where somebody speaks (default: in sounds longer than 30 s)",
    )
    cmd.add_argument("--words", action="store_true", help="times of words (speech recognition)")
    cmd.add_argument("--show", metavar="FILE.png", help="draw the answer: boxes, masks, points, curves, text")
    cmd.add_argument("--schema", metavar="FILE.json", help="JSON schema that the answer keeps to (text-generation)")
    cmd.add_argument("--threads", type=of.count, help="processor threads (default: all usable processors)")
    cmd.add_argument(
        "-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="such as language=en, timestamps=true"
    )

    cmd = verb("bench", "measure a bundle, two bundles in turns (--vs), or a matrix (--models, --targets)")
    cmd.add_argument("bundle", nargs="?", help="folder of a bundle; leave it out for a matrix")
    cmd.add_argument("--vs", metavar="BASE", help="second bundle: both are measured in turns and compared")
    cmd.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="FILE",
        nargs="+",
        help="inputs to measure with (default: the golden input)",
    )
    cmd.add_argument("--synthetic", action="store_true", help="noise shaped like the golden input; the report says so")
    cmd.add_argument(
        "--threads",
        type=of.counts,
        default=[],
        metavar="N[,N]",
        help="processor threads, one or more counts (default: all)",
    )
    cmd.add_argument("--device", help="where to measure: host, adb or adb:SERIAL (default: the target's device)")
    cmd.add_argument("--processes", type=of.count, help="number of fresh processes (5; with --vs: 10 per bundle)")
    cmd.add_argument(
        "--loops", type=of.count, help="most rounds over the inputs per process (default: until --seconds)"
    )
    cmd.add_argument("--warmups", type=of.count, default=10, help="most warm-up rounds, fewer if steady (10)")
    cmd.add_argument("--seconds", type=float, default=3.0, help="measured time per process (3)")
    cmd.add_argument("--limit", type=float, default=600.0, metavar="SECONDS", help="time limit per process (600)")
    cmd.add_argument("--memory", type=of.size, metavar="SIZE", help="memory limit per process, such as 1500MB")
    cmd.add_argument(
        "--contexts",
        type=of.lengths,
        metavar="N,N",
        help="language models: context lengths to generate at; 0: none",
    )
    cmd.add_argument(
        "--models",
        type=of.names,
        default=[],
        metavar="A,B",
        help="matrix: export and measure these models, or all",
    )
    cmd.add_argument("--targets", type=of.names, default=[], metavar="X,Y", help="matrix: for these targets, or all")
    cmd.add_argument("--precisions", type=of.names, default=[], metavar="P,Q", help="matrix: in these precisions")
    for name, what in (("calibration", "DIR"), ("data", "DIR"), ("weights", "PATH")):
        cmd.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar=f"[MODEL=]{what}",
            help="matrix: as for `edgekit export`, for one model or for all",
        )
    cmd.add_argument("--work", default="edgekit-matrix", metavar="DIR", help="matrix: folder of bundles and results")
    cmd.add_argument("--workers", metavar="dask://HOST:PORT", help="matrix: measure on a pool of machines (Dask)")
    cmd.add_argument("--out", metavar="FILE", help="write the report, for `compare` and `report`")
    comparison(cmd)

    cmd = verb("package", "pack a bundle as a file or a library for apps")
    cmd.late = _forms
    cmd.add_argument("bundle", help="folder of a bundle")
    cmd.add_argument("--as", dest="form", required=True, metavar="FORM", help="the form to pack in, as listed below")
    cmd.add_argument("--out", metavar="PATH", help="file or folder to write (default: beside the bundle)")
    cmd.add_argument(
        "-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="option, such as name=speech"
    )

    cmd = verb("serve", "serve a folder to a browser, on this machine alone unless told: a page of `package --as page`")
    cmd.add_argument("folder", metavar="DIR", help="the folder")
    cmd.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (127.0.0.1); 0.0.0.0: all of this machine"
    )
    cmd.add_argument("--port", type=int, default=8000, metavar="N", help="port (8000); 0: a free one")
    cmd.add_argument(
        "--no-isolation",
        dest="isolation",
        action="store_false",
        help="leave out the headers for threads, as most static hosts do",
    )

    cmd = verb("compare", "compare two reports: faster, slower or cannot tell; exits with 7 on a regression")
    cmd.add_argument("base", metavar="BASE.json", help="report of `edgekit bench`, to compare with")
    cmd.add_argument("new", metavar="NEW.json", help="report of `edgekit bench`, to judge")
    cmd.add_argument("--force", action="store_true", help="compare even different models, hosts, inputs or threads")
    comparison(cmd)

    cmd = verb("report", "show reports as a table, or write one HTML file")
    cmd.add_argument("reports", nargs="+", metavar="REPORT.json", help="report of `edgekit bench`")
    cmd.add_argument("--html", metavar="FILE", help="write this HTML file instead of a table")

    verb("doctor", "show what this machine can do, and the command that adds the rest")
    return top


_SOURCE = "name of a model (`edgekit list models`), or hf://ORG/MODEL, a folder, FILE.py:build, .onnx, .pt2, .tflite"
_DYNAMIC = "keep an axis of a source dynamic, with its bounds, such as tokens=1..256"
