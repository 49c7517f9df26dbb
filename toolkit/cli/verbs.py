"""The verbs of the command line: each calls the library and prints its result as text or JSON."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.bench_verbs import bench_ as bench_
from edgekit.cli.bench_verbs import compare_ as compare_
from edgekit.cli.bench_verbs import report_ as report_
from edgekit.cli.choosing import asked_runtime
from edgekit.cli.choosing import fit_ as fit_
from edgekit.cli.choosing import list_ as list_
from edgekit.cli.inspection import inspect_ as inspect_
from edgekit.cli.starting import init_ as init_
from edgekit.cli.terminal import error_facts, say, show_json, show_table, working
from edgekit.core import Prediction, Predictor
from edgekit.errors import BadInput

if TYPE_CHECKING:
    from edgekit.pipeline.search.limits import Limits


def export_(arguments: argparse.Namespace) -> None:
    from edgekit.cli.options import option
    from edgekit.cli.shown_bundle import show_bundle, show_outline, summary
    from edgekit.estimation.budgets import target_of_board
    from edgekit.pipeline.exporting import export, outline
    from edgekit.pipeline.job import Asked

    alarms = arguments.false_alarms_per_hour
    with working() as progress:
        wanted: dict[str, Any] = {
            **{name: value for name, value in vars(arguments).items() if name in Asked.__dataclass_fields__},
            **asked_runtime(arguments),
            "target": arguments.target or (target_of_board(arguments.board) if arguments.board else "laptop"),
            "limits": _limits(arguments),
            "fallback": not arguments.no_fallback,
            "options": dict(option(text) for text in arguments.option),
            "operating": {} if alarms is None else {"false_alarms_per_hour": alarms},
            "dynamic": dict(arguments.dynamic),
            "metric": arguments.metric or "",
            "evidence": False if arguments.no_evidence else arguments.evidence or True,
            "progress": progress,
        }
        bundle = None if arguments.dry_run else export(**wanted)
        planned = outline(**wanted) if bundle is None else {}
    if bundle is None:
        show_json(planned) if arguments.json else show_outline(planned)
    elif arguments.json:
        show_json({"bundle": str(bundle.path), "reused": bundle.reused, **summary(bundle)})
    else:
        show_bundle(bundle)


def _limits(arguments: argparse.Namespace) -> Limits | None:
    """The limits of a search; None if none is on the command line."""
    from edgekit.pipeline.search.limits import MINUTES, Limits

    given = (arguments.max_size, arguments.max_latency, arguments.max_loss)
    if arguments.minutes is None and all(limit is None for limit in given):
        return None
    return Limits(*given, arguments.minutes or MINUTES)


def verify_(arguments: argparse.Namespace) -> None:
    import msgspec

    from edgekit.cli.shown_bundle import away, others, show_agreement, show_device
    from edgekit.gate.verifying import verify

    with working() as progress:
        proof = verify(
            arguments.bundle,
            data=arguments.data,
            metric=arguments.metric,
            evidence=arguments.evidence,
            progress=progress,
        )
    gate, agreement = proof["gate"], proof["agreement"]
    if arguments.json:
        verdicts = {"agreement": msgspec.to_builtins(agreement), "gate": msgspec.to_builtins(gate)}
        facts = {"parity": proof["parity"], **verdicts, "placed": proof["placed"]}
        facts |= {"device": dict(proof["device"]), "older": proof["older"]}
        show_json({"bundle": arguments.bundle, **facts})
        return
    ran = None not in proof["parity"].values()
    checked = "hashes, structure and golden output" if ran else "hashes and structure (nothing was run)"
    say(f"{arguments.bundle}: {checked} are as the manifest says", "green" if ran else "yellow")
    show_table("", ["part", "away from fp32, chained"], [[name, away(e)] for name, e in proof["parity"].items()])
    for part, signal in proof["placed"].items():
        say(f"{part}: {signal:.0f} dB from the processor on its accelerator, simulated")
    show_agreement(agreement)
    say(f"accuracy: {gate.verdict_text} ({gate.reason})")
    for line in others(gate):
        say(line)
    if proof["older"]:
        say(proof["older"], "yellow")
    if proof["device"]:
        show_device(proof["device"])


def run_(arguments: argparse.Namespace) -> int:
    """An unusable input does not stop the others; the exit code reports it."""
    from edgekit.bundles.opened import load
    from edgekit.cli.drawn import Drawer
    from edgekit.cli.options import flags_named, of_run

    options = of_run(arguments)
    count = len(arguments.inputs)
    if count > 1 and arguments.out:
        raise BadInput(f"{count} inputs cannot all be written to {arguments.out!r}.", hint="Give one input with --out.")
    drawer = Drawer(arguments.bundle, arguments.show, count) if arguments.show else None
    predictor = load(arguments.bundle, arguments.threads)
    if arguments.inputs == ["-"]:
        from edgekit.cli.listening import listen

        if sys.stdin is None:
            raise BadInput("standard input is closed.", hint="Pipe sound into it: arecord -f S16_LE -r 16000 | ...")
        with flags_named(arguments):
            return listen(predictor, sys.stdin.buffer, options, as_json=arguments.json)
    if not arguments.inputs:
        with flags_named(arguments):
            _chat(predictor, options, arguments)
        return 0
    with flags_named(arguments):
        shared = predictor.together(arguments.inputs, **options) if count > 1 else None
    if shared is not None:
        _show_shared(shared, arguments)
        return 0
    answers: list[dict[str, Any]] = []
    code = 0
    for number, sample in enumerate(arguments.inputs, 1):
        try:
            with flags_named(arguments):
                if predictor.streams and not arguments.json:
                    prediction = _stream_prediction(predictor, sample, options, count > 1)
                else:
                    prediction = _predict_with_progress(predictor, sample, options)
        except BadInput as exc:
            code = exc.exit_code
            answers.append({"input": sample, **error_facts(exc)})
            print(f"edgekit: {sample}: {exc}", file=sys.stderr)
            continue
        answers.append({"input": sample, **asdict(prediction)})
        if drawer:
            answers[-1]["drawing"] = str(drawer.draw(sample, prediction, number))
            print(f"edgekit: drawn in {answers[-1]['drawing']}", file=sys.stderr)
        if not (arguments.json or predictor.streams):
            _show_prediction(sample, answers[-1], count > 1)
    if arguments.json:
        show_json(answers)
    return code


def _chat(predictor: Predictor, options: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Raises BadInput where a chat is not possible."""
    from edgekit.tasks.text_generation.writer import Writer

    if not isinstance(predictor, Writer):
        place = shlex.quote(arguments.bundle)
        raise BadInput("there is no input.", hint=f"Give a file or a text: edgekit run {place} INPUT")
    if arguments.json or sys.stdin is None or not sys.stdin.isatty():
        raise BadInput("there is no prompt, and a chat needs a terminal.", hint="Give the prompt as an argument.")
    from edgekit.cli.chat import chat

    chat(predictor, options, Path(arguments.bundle).name)


def _stream_prediction(predictor: Predictor, sample: str, options: dict[str, Any], named: bool) -> Prediction:
    """The prediction, its text printed as it comes. The line is ended even after an error."""
    begun = False

    def show(piece: str) -> None:
        nonlocal begun
        print(piece if begun or not named else f"{sample}: {piece}", end="", flush=True)
        begun = True

    try:
        prediction = predictor.predict(sample, stream=show, **options)
    finally:
        if begun:
            print(flush=True)
    for note in prediction.details.get("notes", ()):
        print(f"{Path(sample).name}: {note}", file=sys.stderr)
    return prediction


def _show_shared(prediction: Prediction, arguments: argparse.Namespace) -> None:
    """Print the answer for inputs that are compared with each other."""
    if arguments.json:
        show_json({"inputs": arguments.inputs, **asdict(prediction)})
    else:
        _show_prediction(", ".join(arguments.inputs), asdict(prediction), False)


def _predict_with_progress(predictor: Predictor, sample: str, options: dict[str, Any]) -> Prediction:
    """The prediction, with a progress bar in a terminal only."""
    if not sys.stderr.isatty():
        return predictor.predict(sample, **options)
    with working() as tell:
        name = Path(sample).name
        return predictor.predict(sample, progress=lambda done, total: tell(name, int(done), int(total)), **options)


def _show_prediction(sample: str, answer: dict[str, Any], named: bool) -> None:
    for note in (*answer["details"].get("notes", ()), *answer["details"].get("fallbacks", ())):
        print(f"{Path(sample).name}: {note}", file=sys.stderr)
    segments = answer["details"].get("segments")
    lines = [f"[{s['start']:8.2f} - {s['end']:8.2f}] {s['text']}" for s in segments or ()]
    if words := answer["details"].get("words"):
        lines = [f"[{w['start']:8.2f} - {w['end']:8.2f}] {w['word']}" for w in words]
    lines = lines or list(answer["details"].get("lines", ())) or [str(answer["output"])]
    for line in lines:
        print(f"{sample}: {line}" if named else line, flush=True)


def package_(arguments: argparse.Namespace) -> None:
    from edgekit.bundles.packaging import package, size_of
    from edgekit.cli.options import pair
    from edgekit.common.figures import figure

    options = dict(pair(text) for text in arguments.option)
    place = package(arguments.bundle, arguments.form, out=arguments.out, options=options)
    size = size_of(place)
    if arguments.json:
        show_json({"file": str(place), "size": size})
    else:
        print(f"{place} written: {figure(size, 'B')}")


def serve_(arguments: argparse.Namespace) -> None:
    """Until Ctrl-C."""
    from edgekit.common.serving import server

    folder, host = arguments.folder, arguments.host
    with server(Path(folder), host, arguments.port, isolated=arguments.isolation) as serving:
        address = f"http://{host}:{serving.server_address[1]}/"
        if arguments.json:
            show_json({"address": address, "folder": folder})
        else:
            print(f"{address} serves {folder}; Ctrl-C ends it")
        if host not in ("127.0.0.1", "localhost"):
            print("edgekit: whoever reaches this machine can read the folder", file=sys.stderr)
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            serving.serve_forever()


def doctor_(arguments: argparse.Namespace) -> None:
    from edgekit.cli.doctor import doctor

    facts = doctor()
    if arguments.json:
        show_json(facts)
        return
    machine = [[name.replace("_", " "), _machine_fact(name, value)] for name, value in facts["machine"].items()]
    show_table("this machine", ["", ""], machine)
    rows = [[f["what"], "yes" if f["ok"] else "no", f["found" if f["ok"] else "remedy"]] for f in facts["abilities"]]
    show_table("abilities", ["can", "", "with, or how to add it"], rows)


def _machine_fact(name: str, value: Any) -> str:
    """A fact about this machine as text, with its unit."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if name == "memory" and isinstance(value, int):
        return f"{value / 2**30:.1f} GiB"
    form = {"frequency": "{:.0f} MHz", "temperature": "{:.0f} °C", "load_average": "{:.2f} (1 minute)"}.get(name)
    return form.format(value) if form and isinstance(value, int | float) else str(value)
