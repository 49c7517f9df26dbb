"""edgekit's int8 Whisper beside faster-whisper, whisper.cpp and optimum-onnx: same weights, same sounds, one run.

    .venv/bin/python tests/peers/compare_whisper.py --markdown OUT.md --json OUT.json

The contestants live in environments of their own (`make peers` builds them). Whoever cannot be had is reported as not
measured. A run with the defaults takes more than an hour on two cores, and wants them for itself; see --clips.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))

import _page
import soundfile
from _figures import OURS, RATIO_BARS, Accuracy, Bar, accuracies, bars
from _models import ROOT, Models
from _turns import Contestant, Entry, Failed, Section, start, take_turns, texts_of

from edgekit.bench.machine import host
from edgekit.bench.metrics.table import wer
from edgekit.bench.statistics.paired import ratio

SHARED = ROOT.parent / "shared"
CLIPS = ("librispeech-test-other", "librispeech-train-clean")
_LONG_SECONDS = 300.0
_GAP_SECONDS = 0.5
RATE = 16_000


@dataclass(frozen=True)
class Plan:
    """What to run. `clips` 0 takes all. `only` names contestants (edgekit is always among them); empty takes all."""

    shared: Path = SHARED
    clips: int = 0
    rounds: int = 3
    long_rounds: int = 3
    threads: int = 2
    seed: int = 1
    only: tuple[str, ...] = ()
    accuracy: bool = True
    bundle: Path | None = None
    peers: Path = ROOT / ".venv-peers" / "bin" / "python"
    optimum: Path = ROOT / ".venv-optimum" / "bin" / "python"
    command: str = "make peers"


@dataclass(frozen=True)
class Outcome:
    """What came out: the bars, and everything as Markdown and as JSON-able data."""

    bars: tuple[Bar, ...]
    markdown: str
    raw: Mapping[str, Any]


def compare(plan: Plan) -> Outcome:
    """Run the whole comparison."""
    models = Models(plan.peers, plan.optimum, Path(sys.executable), plan.bundle)
    entries = [entry for entry in models.entries() if not plan.only or entry.name in {OURS, *plan.only}]
    clips = _clips(plan)
    # Before the hour of measuring, so that a failing export does not cost it.
    fp32 = models.bundle("fp32") if plan.accuracy else None
    described, absent = host.describe(), {}
    texts: dict[str, dict[str, list[str]]] = {}
    sections = []
    with tempfile.TemporaryDirectory(prefix="edgekit-peers-") as temporary:
        spoken, truths = _speech(plan.shared, Path(temporary))
        contestants = start(entries, plan.threads, Path(temporary), lambda name, why: absent.update({name: why}))
        versions = {contestant.name: _version(contestant) for contestant in contestants}
        running = list(contestants)
        try:
            _ours_is_there(absent)
            for one in list(running) if plan.accuracy else []:
                try:
                    texts[one.name] = {"speech": texts_of(one, spoken, "speech")}
                except Failed as exc:
                    absent[one.name] = str(exc)
                    running.remove(one)
            _ours_is_there(absent)
            for name, sounds, rounds in _programme(plan, clips, Path(temporary)):
                section = Section(name, [soundfile.info(sound).duration for sound in sounds], rounds)
                running = take_turns(section, running, sounds, name == "long", plan.seed)
                sections.append(section)
                absent |= section.failed
                _ours_is_there(absent)
        finally:
            for contestant in contestants:
                contestant.close()
        accuracy = _accuracy(plan, fp32, spoken, truths, clips, sections, texts, Path(temporary))
    demands = bars(sections, accuracy, plan.seed)
    rates = {name: (len(truths), ratio(wer(said["speech"], truths))) for name, said in texts.items()}
    facts = {
        "command": plan.command,
        "threads": plan.threads,
        "seed": plan.seed,
        "host": described,
        "versions": versions,
        "absent": absent,
        "warnings": _doubts(sections, described, plan.threads),
    }
    raw = {
        **facts,
        "bars": [bar.raw() for bar in demands],
        "sections": [section.raw() for section in sections],
        "accuracy": [row._asdict() for row in accuracy],
        "speech": texts,
        "clips": [str(clip.relative_to(plan.shared)) for clip in clips],
    }
    return Outcome(tuple(demands), _page.render(sections, accuracy, demands, rates, facts), raw)


def _ours_is_there(absent: Mapping[str, str]) -> None:
    """A comparison without edgekit is none."""
    if OURS in absent:
        raise SystemExit(f"edgekit itself could not be measured: {absent[OURS]}")


def _clips(plan: Plan) -> list[Path]:
    """The LibriSpeech clips, sorted; fewer are taken evenly, so that short and long ones of both sets are there."""
    found = [path for folder in CLIPS for path in sorted((plan.shared / "data" / folder).rglob("*.flac"))]
    if not found:
        raise SystemExit(f"there are no LibriSpeech clips under {plan.shared / 'data'}")
    wanted = min(plan.clips or len(found), len(found))
    return [found[i * len(found) // wanted] for i in range(wanted)]


def _speech(shared: Path, temporary: Path) -> tuple[list[Path], list[str]]:
    """The sounds that have a transcript, at 16 kHz (two of the tools take nothing else), and the transcripts."""
    import soxr

    folder = shared / "data" / "speech"
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines if line.strip()]
    sounds = []
    for entry in entries:
        audio, rate = soundfile.read(folder / entry["audio"], dtype="float32", always_2d=True)
        sounds.append(temporary / f"{Path(entry['audio']).stem}.wav")
        soundfile.write(sounds[-1], soxr.resample(audio.mean(axis=1), rate, RATE), RATE, subtype="PCM_16")
    return sounds, [entry["text"] for entry in entries]


def _programme(plan: Plan, clips: Sequence[Path], temporary: Path) -> list[tuple[str, Sequence[Path], int]]:
    """(section, sounds, rounds); no rounds, no section."""
    parts: list[tuple[str, Sequence[Path], int]] = []
    if plan.rounds:
        parts.append(("clips", clips, plan.rounds))
    if plan.long_rounds:
        everything = _clips(replace(plan, clips=0))
        parts.append(("long", [_joined(everything, temporary / "joined.flac")], plan.long_rounds))
    assert {name for name, _, _ in parts} <= set(RATIO_BARS)
    return parts


def _joined(clips: Sequence[Path], out: Path) -> Path:
    """As many clips as five minutes take, in order, with half a second of silence after each."""
    import numpy as np

    pieces, seconds = [], 0.0
    for clip in clips:
        audio, rate = soundfile.read(clip, dtype="int16")
        pieces += [audio, np.zeros(round(_GAP_SECONDS * rate), np.int16)]
        seconds += len(audio) / rate + _GAP_SECONDS
        if seconds >= _LONG_SECONDS:
            break
    soundfile.write(out, np.concatenate(pieces), rate, subtype="PCM_16")
    return out


def _accuracy(
    plan: Plan,
    bundle: Path | None,
    spoken: Sequence[Path],
    truths: Sequence[str],
    clips: Sequence[Path],
    sections: Sequence[Section],
    texts: Mapping[str, Mapping[str, Sequence[str]]],
    logs: Path,
) -> list[Accuracy]:
    """Our int8 texts (from the warm-up round) against those of our fp32 bundle, which is loaded for it."""
    if bundle is None:
        return []
    entry = Entry("edgekit-fp32", Path(sys.executable), bundle)
    reference = Contestant(entry, plan.threads, logs / "edgekit-fp32.log", kind=OURS)
    try:
        int8: dict[str, Sequence[str]] = {"speech": texts[OURS]["speech"]}
        fp32 = {"speech": texts_of(reference, spoken, "fp32 reference, speech")}
        for section in (section for section in sections if section.name == "clips"):
            int8["LibriSpeech"] = section.texts[OURS]
            fp32["LibriSpeech"] = texts_of(reference, clips, "fp32 reference, clips")
    finally:
        reference.close()
    return accuracies(int8, fp32, {"speech": truths, "LibriSpeech": None})


def _version(contestant: Contestant) -> str:
    return f"{contestant.loaded['version']} (Python {contestant.loaded['python']})"


def _doubts(sections: Sequence[Section], described: Mapping[str, Any], threads: int) -> list[str]:
    """Why a reader should not trust the numbers: the machine was busy, or an idle contestant was."""
    found = host.busy_warning(cpu=1.0, threads=threads, cores=described["cores"] or 1, load=described["load_average"])
    for section in sections:
        found += section.warnings
        wall = sum(sum(rounds) for times in section.wall.values() for rounds in times)
        for name, idle in section.idle.items():
            if idle > 0.01 * wall:
                found.append(f"{section.name}: {name} used {idle:.1f} core-seconds while others worked")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Exit code 0 if every bar is met, 1 if one is missed, 2 if one was not measured or is undecided."""
    plan = Plan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=0, metavar="N", help="take N clips evenly (default: all)")
    parser.add_argument("--rounds", type=int, default=plan.rounds, help="measured rounds over the clips; 0: none")
    parser.add_argument("--long-rounds", type=int, default=plan.long_rounds, help="the same for the five minutes")
    parser.add_argument("--threads", type=int, default=plan.threads)
    parser.add_argument("--seed", type=int, default=plan.seed, help="of the order of turns and of the intervals")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these peers only")
    parser.add_argument("--no-accuracy", dest="accuracy", action="store_false", help="leave the fp32 texts out")
    parser.add_argument("--bundle", type=Path, help="an int8 bundle to use; without, one is exported")
    parser.add_argument("--peers", type=Path, default=plan.peers, help="interpreter of the peers' environment")
    parser.add_argument("--optimum", type=Path, default=plan.optimum, help="interpreter of optimum-onnx's")
    parser.add_argument("--markdown", type=Path, help="write the page here")
    parser.add_argument("--json", type=Path, help="write every raw value here")
    given = vars(parser.parse_args(words))
    markdown, raw = given.pop("markdown"), given.pop("json")
    for place in (markdown, raw):
        if place:
            place.parent.mkdir(parents=True, exist_ok=True)
    spoken = shlex.join(["python", "tests/peers/compare_whisper.py", *(words if words is not None else sys.argv[1:])])
    outcome = compare(Plan(**{**given, "only": tuple(given["only"])}, command=spoken))
    if markdown:
        markdown.write_text(outcome.markdown, encoding="utf-8")
    if raw:
        raw.write_text(json.dumps(outcome.raw, indent=1), encoding="utf-8")
    print(outcome.markdown)
    verdicts = {bar.verdict for bar in outcome.bars}
    return 1 if "missed" in verdicts else 0 if verdicts == {"met"} else 2


if __name__ == "__main__":
    sys.exit(main())
