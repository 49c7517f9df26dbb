"""edgekit's C beside bakenn's on emulated processors: instructions, flash, RAM, exactness; MLPerf Tiny's int8 models.

    .venv/bin/python tests/peers/compare_microcontroller.py --markdown OUT.md --json OUT.json

Needs the compilers and emulators (`make firmware-tools`) and bakenn in an environment of its own, which
`make firmware-figures` builds; without bakenn its columns stay empty. Exact counts: the machine need not be quiet.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import _firmware_bundles as bundles
import _firmware_page as page
from _firmware_figures import EMULATED, RANDOM, Bar, Keywords, Program, Subject, bars, raw
from _firmware_inputs import SUBJECTS, Inputs, answers, evenly, inputs_of, keyword_labels
from _firmware_inputs import Subject as Given
from _firmware_tflite import without_softmax
from rich.console import Console

from edgekit import registry
from edgekit.errors import DeviceFailed, EdgekitError
from edgekit.exporters.c import arena, write
from edgekit.exporters.c.lowering import graph
from edgekit.formats.tflite import reader
from edgekit.runtimes.qemu import build
from edgekit.targets.microcontroller.emulator.counts import bench
from edgekit.targets.microcontroller.emulator.proof import self_test
from edgekit.targets.microcontroller.emulator.qemu import emulator_of
from edgekit.targets.microcontroller.emulator.toolchain import MACHINES, Machine, compiler_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
#: A run of a self-test or of a benchmark; the largest take half a minute on a machine of their own.
_SECONDS = 900.0
#: One self-test holds at most 16 MB of vectors.
_BATCH = 8_000_000
#: Vectors that tell whether a peer computes the right thing at all.
_PEER_VECTORS = 6
#: A peer is built with each of these, and shown at its best.
_FLAGS = ("-O2", "-O3", "-Os")


@dataclass(frozen=True)
class Plan:
    """What to run. `real` None takes every real input."""

    models: Path = SHARED / "models" / "mlperf-tiny"
    shared: Path = SHARED
    subjects: tuple[str, ...] = tuple(subject.name for subject in SUBJECTS)
    processors: tuple[str, ...] = tuple(MACHINES)
    random: int = RANDOM
    real: int | None = None
    emulated: int = EMULATED
    repeats: int = 3
    peer: bool = True
    python: Path = ROOT / ".venv-bakenn" / "bin" / "python"
    command: str = "make firmware-figures"


@dataclass(frozen=True)
class Outcome:
    """What came out: the bars, the tables, everything as Markdown and as JSON-able data."""

    bars: tuple[Bar, ...]
    tables: tuple[page.Table, ...]
    markdown: str
    raw: Mapping[str, Any]


def compare(plan: Plan) -> Outcome:
    """Run the whole comparison.

    Raises:
        EdgekitError: edgekit itself cannot export, build or run a model; a peer that cannot is reported as such.
    """
    start, measured, keywords = time.monotonic(), [], None
    versions = _versions(plan)
    with tempfile.TemporaryDirectory(prefix="edgekit-figures-") as temporary:
        for given in (one for one in SUBJECTS if one.name in plan.subjects):
            subject, spoken = _subject(plan, given, Path(temporary) / given.file, versions)
            measured.append(subject)
            keywords = spoken or keywords
    demands = bars(measured, keywords, plan.processors)
    tables = page.tables(measured, demands, plan.processors)
    facts = {"command": plan.command, "repeats": plan.repeats, "versions": versions}
    data = {
        **facts,
        "seconds": round(time.monotonic() - start),
        "bars": [bar.raw() for bar in demands],
        "models": raw(measured),
        "keywords": vars(keywords) if keywords else None,
    }
    return Outcome(tuple(demands), tuple(tables), page.markdown(tables, measured, keywords, facts), data)


def _subject(plan: Plan, given: Given, work: Path, versions: dict[str, str]) -> tuple[Subject, Keywords | None]:
    """All about one model; the second value only for the keywords, on the emulated M4."""
    model, keywords = plan.models / f"{given.file}.tflite", None
    work.mkdir()
    bare = work / model.name
    found = Subject(given.name, softmax=without_softmax(model, bare), source=given.source)
    found.macs, found.generation = bundles.macs_of(model), _generation(model)
    _say(f"{given.name}: what tflite-micro answers")
    inputs = inputs_of(given, model, bundles.part_of(model), plan.shared, plan.random, plan.real)
    found.random, found.real, found.every_real = len(inputs.random), len(inputs.real), plan.real is None
    golden = evenly(inputs.real or inputs.random, plan.repeats)
    made: dict[str, bundles.Ours] = {}
    for processor in plan.processors:
        recipe = registry.find("targets", processor).recipes["*"]
        layout = str(recipe.options["layout"])
        if layout not in made:
            _say(f"{given.name}: the {layout} layout, exported and compared on this computer")
            made[layout] = bundles.ours(model, recipe, golden, work / layout)
            found.computed, found.host[layout] = made[layout].macs, _mismatches(made[layout], inputs)
        _say(f"{given.name}: edgekit on {processor}")
        try:
            found.ours[processor] = _ours(plan, made[layout].folder, processor, inputs)
        except DeviceFailed as exc:
            found.absent[f"edgekit on {processor}"] = exc.message
        if given.name == "KWS" and processor == "cortex-m4":
            keywords = _keywords(plan, made[layout].folder, inputs)
        if plan.peer:
            _peers(plan, found, bare, processor, golden, inputs, versions, work)
    return found, keywords


def _generation(model: Path) -> float:
    """Seconds from the .tflite to the text of the C."""
    start = time.monotonic()
    program = graph.lower(reader.read(model.read_bytes()), "dsp")
    write.write(program, arena.plan(program), "network", model.name)
    return time.monotonic() - start


def _mismatches(made: bundles.Ours, inputs: Inputs) -> int:
    """Inputs for which the C, compiled for this computer, gives another byte than tflite-micro."""
    runner = build.load(made.folder / "src" / "network.c")
    source, target = made.part.inputs[0].name, made.part.outputs[0].name
    pairs = zip((*inputs.random, *inputs.real), (*inputs.random_outputs, *inputs.real_outputs), strict=True)
    return sum(runner({source: value})[target].tobytes() != expected.tobytes() for value, expected in pairs)


def _ours(plan: Plan, folder: Path, processor: str, inputs: Inputs) -> Program:
    found = replace(_counted(plan, folder, MACHINES[processor]), flag=bundles.optimization_of(MACHINES[processor]))
    checked, fault = _equal(folder, MACHINES[processor], inputs.mixed(plan.emulated))
    return replace(found, checked=checked, fault=fault)


def _counted(plan: Plan, folder: Path, machine: Machine, slack: int = 0) -> Program:
    counts = bench(folder, machine, repeats=plan.repeats, timeout=_SECONDS)
    size = counts.footprint
    layers = [(layer.name, max(layer.instructions)) for layer in counts.layers]
    constants, ram = size["constants"] + size["data"], size["ram"] - slack
    return Program(max(counts.inference), size["code"], constants, ram, counts.stack, layers)


def _equal(folder: Path, machine: Machine, pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[int, str]:
    """How many vectors were compared in the emulator, and what is wrong ("" if they are all equal)."""
    size = pairs[0][0].nbytes + pairs[0][1].nbytes
    step, checked = max(1, _BATCH // size), 0
    for start in range(0, len(pairs), step):
        try:
            passed = self_test(folder, machine, vectors=pairs[start : start + step], timeout=_SECONDS)
        except EdgekitError as exc:
            return checked, exc.message
        checked += passed.vectors
    return checked, ""


def _keywords(plan: Plan, folder: Path, inputs: Inputs) -> Keywords | None:
    """Every keyword feature on the emulated M4. The same bytes there are the same predictions."""
    if plan.real is not None:
        return None
    _say("KWS: every feature on the emulated cortex-m4")
    labels = [label for _, label in keyword_labels(plan.shared)]
    right = sum(int(one.argmax()) == label for one, label in zip(inputs.real_outputs, labels, strict=True))
    _, fault = _equal(folder, MACHINES["cortex-m4"], list(zip(inputs.real, inputs.real_outputs, strict=True)))
    return Keywords(len(labels), right / len(labels), fault)


def _peers(
    plan: Plan,
    found: Subject,
    bare: Path,
    processor: str,
    golden: Sequence[NDArray[Any]],
    inputs: Inputs,
    versions: dict[str, str],
    work: Path,
) -> None:
    """Every path of bakenn that there is for `processor`."""
    given = [value for value, _ in inputs.mixed(_PEER_VECTORS)]
    pairs = list(zip(given, answers(bare, bundles.part_of(bare), given), strict=True))
    for path in page.PATHS if processor in bundles.TARGETS else ("portable", "optimized"):
        _say(f"{found.name}: bakenn {path} on {processor}")
        try:
            peer = bundles.peers(plan.python, bare, path, processor, golden, work / f"{processor}-{path}")
            versions["bakenn"] = peer.version
        except bundles.Failed as exc:
            found.absent[page.key(processor, path)] = str(exc)
            continue
        for flag in _FLAGS:
            try:
                program = _peer(plan, peer, processor, flag, pairs)
            except DeviceFailed as exc:
                what = f"{page.key(processor, path)} with {flag}"
                found.absent[what] = re.sub(r"/\S+/", "", exc.message)  # the folder is gone by the time this is read
            else:
                found.peers.setdefault(processor, {}).setdefault(path, []).append(program)


def _peer(
    plan: Plan, peer: bundles.Peer, processor: str, flag: str, pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]
) -> Program:
    """bakenn's C, built with the optimization `flag`. Raises DeviceFailed where it does not build or run."""
    machine = bundles.Optimized(processor, MACHINES[processor].board, flag)
    counted = _counted(plan, peer.folder, machine, peer.slack)
    checked, fault = _equal(peer.folder, machine, pairs)
    return replace(counted, checked=checked, fault=fault, flag=flag, note=bundles.SLACK_NOTE if peer.slack else "")


def _versions(plan: Plan) -> dict[str, str]:
    """Of every tool. Raises MissingExtra where a compiler or emulator is absent."""
    found = {name: importlib.metadata.version(name) for name in ("edgekit-ml", "tflite_micro")}
    found |= {f"flags of {one}": bundles.flags_of(MACHINES[one]) for one in plan.processors}
    for machine in (MACHINES[processor] for processor in plan.processors):
        for command in ([compiler_of(machine)], emulator_of(machine)[:1]):
            text = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
            found.setdefault(Path(command[0]).name, text.splitlines()[0])
    return found


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Exit code 0 if every bar is met, 1 if one is missed, 2 if one was not measured."""
    plan = Plan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", dest="subjects", choices=plan.subjects, default=plan.subjects)
    parser.add_argument("--processors", nargs="+", choices=plan.processors, default=plan.processors)
    parser.add_argument("--folder", type=Path, dest="models", default=plan.models, help="where the .tflite files are")
    parser.add_argument("--shared", type=Path, default=plan.shared, help="where data/ with the real inputs is")
    parser.add_argument("--random", type=int, default=plan.random, metavar="N", help="random inputs on the host")
    parser.add_argument("--quick", action="store_true", help="few inputs: to see that it works; not for the page")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="leave bakenn out")
    parser.add_argument("--peer", type=Path, dest="python", default=plan.python, help="interpreter of bakenn's")
    parser.add_argument("--markdown", type=Path, help="write the page here")
    parser.add_argument("--json", type=Path, help="write every raw value here, layer by layer")
    given = vars(parser.parse_args(words))
    markdown, data, quick = given.pop("markdown"), given.pop("json"), given.pop("quick")
    if quick:
        given |= {"random": min(given["random"], 40), "real": 10, "emulated": 4, "repeats": 1}
    given |= {"subjects": tuple(given["subjects"]), "processors": tuple(given["processors"])}
    spoken = ["python", "tests/peers/compare_microcontroller.py", *(words if words is not None else sys.argv[1:])]
    try:
        outcome = compare(Plan(**given, command=shlex.join(spoken)))
    except EdgekitError as exc:
        print(f"{exc.message} {exc.hint or ''}".rstrip(), file=sys.stderr)
        return 3
    for place, text in ((markdown, outcome.markdown), (data, json.dumps(outcome.raw, indent=1))):
        if place:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
    page.show(outcome.tables, Console(width=None if sys.stdout.isatty() else 200))
    verdicts = {bar.verdict for bar in outcome.bars}
    return 1 if "missed" in verdicts else 2 if "not measured" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
