"""`bench --device adb`: a bundle on a phone. First its answers, then its times.

What is measured are *replayed calls*: every call that the golden input makes of every part, with the inputs that it had
on this machine. What an app computes between the parts is not in it. Of a language model it is tokens per second by
llama-bench's method, and the first token. The runtime is a Linux build for 64-bit Arm, run through its own loader; an
app has the same version's Android build. What each format takes is in `edgekit.targets.android.arm64`, which emulated
processors are served by, too.

On an emulated phone the same happens, but times are left out: only the answers, and memory as an upper bound.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import filelock

from edgekit import core
from edgekit.common.files import cache_folder
from edgekit.common.packed import plain
from edgekit.core import Feeds, Measured, Trial, fact_of
from edgekit.errors import DeviceFailed, Unsupported
from edgekit.targets.android.adb.facts import PhoneFacts, facts
from edgekit.targets.android.adb.heat import Guard, doubts
from edgekit.targets.android.adb.phone import Phone, choose, clean
from edgekit.targets.android.adb.replay import Replay, Rounds, Setting, Speeds
from edgekit.targets.android.adb.store import Run, Store
from edgekit.targets.android.arm64 import emulated
from edgekit.targets.common import calls as calls_module
from edgekit.targets.common import values
from edgekit.targets.common.agreement import compared_calls, reference
from edgekit.targets.common.manifest import Manifest, read_manifest

_ABI = "arm64-v8a"
_MOST_ROUNDS = 500
#: llama-bench's own two tests, in tokens; values of each, as on this machine.
_PROMPT, _GENERATE, _REPEATS = 512, 128, 3
#: Tokens of a prompt on an emulated phone, where they take seconds each.
_EMULATED_PROMPT = 16
_REPLAYED = "replayed calls of the golden input; what an app computes between the parts is not in it"
_SPOKEN = "random tokens by llama-bench's method; the first token after as many as the golden prompt has"


def measure(trial: Trial) -> Measured:
    """Have the phone replay the calls of `trial`, as `edgekit.core.Device.measure` says.

    Raises:
        MissingExtra: adb, the compiler for Arm or the runtime for it are absent. BadInput: several phones are there.
        Unsupported: nothing here runs this bundle's format, or runs on this phone.
        DeviceFailed: no phone, or it did not do its part. ParityFailed: it computes something else.
    """
    manifest = read_manifest(trial.bundle)
    exporter = manifest["recipe"]["exporter"]
    runtime = emulated.runtime_of(exporter)
    if not hasattr(runtime, "kit"):
        raise Unsupported(
            f"there is no runner of {exporter} bundles for phones yet.",
            hint="Export with --runtime onnxruntime, or measure on this machine: --device host",
        )
    phone = choose(trial.address)
    with _alone(phone):
        known = facts(phone)
        if _ABI not in known.abis:
            raise Unsupported(
                f"this phone runs {', '.join(known.abis) or 'no ABI that it names'}; the runner is for {_ABI}."
            )
        kit = runtime.kit(trial.progress)
        with tempfile.TemporaryDirectory(prefix="edgekit-adb-") as scratch, ExitStack() as unpacked:
            files = [unpacked.enter_context(plain(trial.bundle / part["file"])) for part in manifest["parts"]]
            models = {f"part{at}.{runtime.SUFFIX}": file for at, file in enumerate(files)}
            work = Path(scratch)
            calls_module.write_all(work / "calls", list(_part_feeds(runtime, manifest, files, trial)))
            trial.progress("copying to the phone what it does not have", 0, 0)
            with Store(phone).run({**kit.files, **models}, {"calls": work / "calls"}) as run:
                replay = Replay(phone, run.folder, kit.library, tuple(models), "calls", work, trial.limit)
                return _measure_trial(trial, runtime, manifest, known, replay, run)


def _part_feeds(runtime: Any, manifest: Manifest, files: Sequence[Path], trial: Trial) -> Iterator[Sequence[Feeds]]:
    """The inputs of all calls of every part, as its file takes them."""
    for part, file in zip(manifest["parts"], files, strict=True):
        yield runtime.feeds_of(file, [feeds for feeds, _ in trial.calls[part["name"]]])


@contextmanager
def _alone(phone: Phone) -> Iterator[None]:
    """Two measurements at once would disturb each other, and each would clear away the other's files."""
    place = cache_folder() / "phone" / f"{hashlib.sha256(phone.serial.encode()).hexdigest()[:16]}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(place, timeout=0):
            yield
    except filelock.Timeout as exc:
        raise DeviceFailed(
            f"another edgekit is measuring on the phone {clean(phone.serial)}.", hint="Wait until it is done."
        ) from exc


def _measure_trial(
    trial: Trial, runtime: Any, manifest: Manifest, known: PhoneFacts, replay: Replay, run: Run
) -> Measured:
    names = [part["name"] for part in manifest["parts"]]
    parity = {name: _agrees(at, trial, runtime, manifest, replay) for at, name in enumerate(names)}
    chosen = settings(known, trial.threads)
    guard = Guard(replay.phone, trial.progress)
    plan = _speeds(trial, manifest, known) if runtime.LANGUAGE else _rounds(trial, known)
    if known.emulated:
        results = {setting: [replay.run_measurement(setting, plan)] for setting in chosen[: len(trial.threads) or 1]}
    else:
        results = _in_turns(trial, chosen, replay, guard, plan)
    first = next(iter(results.values()))
    measured = values.measurements(
        {one.name: runs for one, runs in results.items()}, names, trial.units, times=not known.emulated
    )
    warnings = [runtime.ORIGIN, *_memory_warnings(first)]
    if known.emulated:
        warnings.append("this phone is emulated: times are left out, and its memory is an upper bound")
        if isinstance(plan, Speeds):
            warnings[-1] += f" of what a prompt of {plan.first} tokens takes"
    else:
        medians = values.medians(first)
        warnings += doubts(guard.seen, medians[0], medians[-1])
    version = f"{runtime.NAME} {first[0].runtime}".strip()
    return {
        "fidelity": "emulated" if known.emulated else "device",
        "host": {
            **known.host,
            "runtime": f"{version}, Linux build for 64-bit Arm",
            "measured": _SPOKEN if isinstance(plan, Speeds) else _REPLAYED,
            "parity": parity,
            "run": {
                "processes": len(first),
                **plan._asdict(),
                "loops": [len(result.whole) or max(map(len, result.speeds.values())) for result in first],
                "settings": [setting.name for setting in results],
                "calls_in_round": {name: len(trial.calls[name]) for name in names},
                "pushed": sum(run.pushed.values()),
                "pushed_files": sorted(run.pushed),
                "waited": guard.waited,
                "heat": guard.facts(),
            },
        },
        "versions": runtime.versions(first[0].runtime),
        "threads": chosen[0].threads,
        "measurements": (*measured, *values.agreement(parity)),
        "warnings": warnings,
    }


def _rounds(trial: Trial, known: PhoneFacts) -> Rounds:
    return Rounds(0, 1, 0) if known.emulated else Rounds(trial.warmups, trial.loops or _MOST_ROUNDS, trial.seconds)


def _speeds(trial: Trial, manifest: Manifest, known: PhoneFacts) -> Speeds:
    """What to ask of a language model: the first token in the context that an app has, after the golden prompt."""
    context = fact_of(manifest["facts"], "context", int)
    if known.emulated:
        return Speeds(context, _EMULATED_PROMPT, 0, 0, 0)
    prompt = min(int(trial.units["prompt_tokens"]), context - 1)
    return Speeds(context, prompt, _PROMPT, _GENERATE, trial.loops or _REPEATS)


def settings(known: PhoneFacts, threads: Sequence[int]) -> list[Setting]:
    """What to measure with, the report's own setting first: so many threads wherever the system puts them, as in an
    app; then, on each cluster of cores, as many of them as it has cores."""
    most = min(4, known.cores)
    counts = list(dict.fromkeys(threads or (most, *(count for count in (1, 2) if count < most))))
    chosen = [Setting(count) for count in counts]
    if len(known.clusters) > 1:
        chosen += [Setting(min(counts[0], len(cluster.cores)), cluster) for cluster in known.clusters]
    return chosen


def _agrees(at: int, trial: Trial, runtime: Any, manifest: Manifest, replay: Replay) -> core.Facts:
    """How far the part's answers on the phone are from fp32 and from here. Raises ParityFailed where too far."""
    part = manifest["parts"][at]
    name, calls = part["name"], trial.calls[part["name"]]
    trial.progress(f"comparing the answers of {name}", 0, 0)
    which = compared_calls(len(calls))
    there = runtime.outputs_of(trial.bundle / part["file"], replay.answers(at, which))
    if len(there) != len(which):
        raise DeviceFailed(f"the phone gave {len(there)} answers to {len(which)} calls of {name}.")
    here = [calls[i][1] for i in which]
    golden = reference(trial.bundle / manifest["golden"]["reference"])
    return emulated.check_parity(runtime, part, manifest["recipe"]["precision"], "the phone", there, here, golden)


def _in_turns(
    trial: Trial, chosen: Sequence[Setting], replay: Replay, guard: Guard, plan: Rounds | Speeds
) -> dict[Setting, list[values.Result]]:
    """Fresh processes of every setting, forth and back, so that heat meets all of them alike."""
    results: dict[Setting, list[values.Result]] = {setting: [] for setting in chosen}
    total, done = trial.processes * len(chosen), 0
    for process in range(trial.processes):
        for setting in chosen if process % 2 == 0 else reversed(chosen):
            trial.progress(f"measuring on the phone: {setting.name}", done, total)
            guard.ready()
            start = time.monotonic()
            results[setting].append(replay.run_measurement(setting, plan))
            guard.took(time.monotonic() - start)
            done += 1
    guard.look()
    return results


def _memory_warnings(results: Sequence[values.Result]) -> list[str]:
    """A warning where the recorded inputs are a good part of the memory that was measured."""
    inputs, peak = results[0].inputs, max(result.peak for result in results)
    if inputs < peak / 20:
        return []
    return [f"{inputs / 1e6:.0f} MB of the peak of memory are recorded inputs, which an app does not hold"]
