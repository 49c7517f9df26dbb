"""What processes on a device measured by replayed calls, as measurements of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

from edgekit.core import Facts, Measurement, fact_of

Groups = list[tuple[float, ...]]


class Result(NamedTuple):
    """What a process on a device measured.

    Attributes:
        runtime: version. cores: that it was allowed to use. library: seconds to open the runtime.
        loads, loaded: seconds to open each part; from the start to the last of them.
        whole, parts: seconds per round over all calls; per call, by part. warmups: the same two, thrown away.
        speeds: of a language model in place of these, by test: see `edgekit.targets.android.adb.replay.Speeds`.
        inputs: bytes of the recorded inputs, which the process holds. peak, anonymous, file: bytes of memory, the
            latter two at the end.
    """

    runtime: str
    cores: tuple[int, ...]
    library: float
    loads: tuple[float, ...]
    loaded: float
    whole: tuple[float, ...]
    parts: tuple[tuple[float, ...], ...]
    warmups: tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]
    speeds: dict[str, tuple[float, ...]]
    inputs: int
    peak: int
    anonymous: int
    file: int


def measurements(
    results: Mapping[str, Sequence[Result]],
    parts: Sequence[str],
    units: Mapping[str, float],
    *,
    times: bool,
) -> tuple[Measurement, ...]:
    """Measurements by setting. Names of the first are plain, those of others end in ``[2 threads, cores 4-7]``.

    Measurements: ``load.cold`` = ``load.import`` (the runtime is opened) + ``load.bundle`` (the parts are), from the
    program's start (s); ``replayed_calls.latency`` (s, per round over all calls), ``part.NAME.latency`` (s, per call),
    ``replayed_calls.rtf`` where there is audio; of a language model in place of these ``pp512``, ``tg128`` (tokens/s),
    ``first_token`` (s); ``rss.peak``, ``rss.anonymous``, ``rss.file`` (B, one per process).

    Args:
        times: whether times are reported at all.
    """
    measured = []
    for at, (setting, runs) in enumerate(results.items()):
        mark = f" [{setting}]" if at else ""
        for name, unit, values, warmups in _values(runs, parts, units):
            if times or unit == "B":
                better: Literal["lower", "higher"] = "higher" if unit == "tokens/s" else "lower"
                measured.append(Measurement(f"{name}{mark}", unit, tuple(values), tuple(warmups), better))
    return tuple(measured)


def agreement(parity: Mapping[str, Facts]) -> tuple[Measurement, ...]:
    """How far the answers of every part were from fp32 and from this machine, where that is known: the largest relative
    error each. Of a language model also the share of positions at which the next token is the same there as here."""
    measured = []
    for name, off in parity.items():
        for key, what in (("fp32", "fp32"), ("here", "this_machine")):
            if key in off:
                measured.append(Measurement(f"part.{name}.away_from_{what}", "1", ((fact_of(off, key, float),),)))
        if greedy := fact_of(off, "greedy", dict, {}):
            share = greedy["same"] / greedy["positions"]
            measured.append(Measurement(f"part.{name}.same_next_token", "1", ((share,),), better="higher"))
    return tuple(measured)


def medians(runs: Sequence[Result]) -> list[float]:
    """Of each process, the median of a round over all calls, in seconds; of a language model, of its tests' values."""
    return [median(run.whole) if run.whole else _pace(run) for run in runs]


def _pace(run: Result) -> float:
    """Seconds per token that is generated, the last test, when the phone is warmest."""
    return 1 / median(next(reversed(run.speeds.values())))


def _values(
    runs: Sequence[Result], parts: Sequence[str], units: Mapping[str, float]
) -> Iterator[tuple[str, str, Groups, Groups]]:
    yield "load.cold", "s", [(run.loaded,) for run in runs], []
    yield "load.import", "s", [(run.library,) for run in runs], []
    yield "load.bundle", "s", [(max(0.0, run.loaded - run.library),) for run in runs], []
    yield from _speeds(runs) if runs[0].speeds else _latencies(runs, parts, units)
    for name in ("peak", "anonymous", "file"):
        values: Groups = [(float(getattr(run, name)),) for run in runs if getattr(run, name)]
        if values:
            yield f"rss.{name}", "B", values, []


def _latencies(
    runs: Sequence[Result], parts: Sequence[str], units: Mapping[str, float]
) -> Iterator[tuple[str, str, Groups, Groups]]:
    whole, thrown = [run.whole for run in runs], [run.warmups[0] for run in runs]
    yield "replayed_calls.latency", "s", whole, thrown
    if seconds := units.get("audio_seconds"):
        rates = [[tuple(value / seconds for value in group) for group in side] for side in (whole, thrown)]
        yield "replayed_calls.rtf", "1", rates[0], rates[1]
    for at, name in enumerate(parts):
        yield f"part.{name}.latency", "s", [run.parts[at] for run in runs], [run.warmups[1][at] for run in runs]


def _speeds(runs: Sequence[Result]) -> Iterator[tuple[str, str, Groups, Groups]]:
    for name in reversed(runs[0].speeds):  # as people ask for them: generation first
        yield name, "s" if name == "first_token" else "tokens/s", [run.speeds[name] for run in runs], []
