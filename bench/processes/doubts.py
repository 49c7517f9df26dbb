"""Reasons to distrust a measurement, in words, and what would make it steadier. No value is thrown away for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edgekit.bench.machine import host
from edgekit.bench.processes.answers import Answer
from edgekit.bench.statistics.repeated import MAD_TO_SD, mad, median, spread
from edgekit.core import Measurement

#: How the last warning begins, which says what to do about the others.
STEADIER = "for a steadier result: "


def doubts(
    measurements: Sequence[Measurement],
    answers: Sequence[Answer],
    threads: int,
    cores: int,
    load_average: float | None,
    inputs: int,
) -> list[str]:
    """Warnings about one bundle's processes, the loudest first; the last says how to get a steadier result.

    Args:
        answers: of the processes (`edgekit.bench.processes.child.once`). load_average: before the first process.
        inputs: how many the latencies cycle through.
    """
    busy = _busy(answers, load_average, threads, cores)
    shaky = [*_unstable(measurements, inputs), *_warmup_warnings(answers)]
    warnings = [
        *busy,
        *_clocks(measurements, answers),
        *_throttle_warnings(answers),
        *_crash_warnings(answers),
        *_nondeterministic(answers),
    ]
    warnings += shaky
    if busy or shaky:
        warnings.append(STEADIER + "; ".join(_advice(bool(busy), len(answers), threads, cores, answers)) + ".")
    return warnings


def _busy(answers: Sequence[Answer], load_average: float | None, threads: int, cores: int) -> list[str]:
    """One loud line per cause, from the worst process."""
    sections = [answer.section for answer in answers if answer.section["wall"] > 0.0]
    # The system counts in ticks of 10 ms: over a shorter time its rates are noise.
    long = [section for section in sections if "busy" in section and section["wall"] >= 0.5]
    causes = host.busy_warning(
        cpu=min((section["cpu"] / section["wall"] for section in sections), default=1.0),
        threads=threads,
        cores=cores,
        # What others used meanwhile is measured; before, it may have been our own export.
        load=None if long else load_average,
        steal=max((section["steal"] / section["wall"] for section in long), default=None),
        others=max(((section["busy"] - section["cpu"]) / section["wall"] for section in long), default=None),
    )
    return [f"THE MACHINE WAS BUSY: {cause}; do not trust these times." for cause in causes]


def _clocks(measurements: Sequence[Measurement], answers: Sequence[Answer]) -> list[str]:
    warnings = []
    dropped = sum(answer.dropped for answer in answers)
    if dropped:
        warnings.append(f"the clock jumped: {dropped} readings went backwards or were no numbers, and are left out.")
    for number, answer in enumerate(answers, 1):
        wall, calendar = answer.section["wall"], answer.section.get("calendar")
        # Corrections by a time server are far smaller than this.
        if calendar is not None and abs(calendar - wall) > 0.05 + 0.01 * abs(wall):
            warnings.append(
                f"clocks disagree in process {number}: {wall:.1f} s by the timer, {calendar:.1f} s by the calendar; "
                "the machine slept, or its clock was set."
            )
    for item in measurements:
        zeros = sum(value == 0.0 for group in item.values for value in group)
        if item.unit == "s" and zeros:
            warnings.append(f"{zeros} values of {item.name} are zero: shorter than a step of the clock.")
    return warnings


def _throttle_warnings(answers: Sequence[Answer]) -> list[str]:
    warnings = []
    for number, answer in enumerate(answers, 1):
        before, after = (state.get("throttled") or 0 for state in answer.state or ({}, {}))
        if after > before:
            warnings.append(f"the processor throttled itself for heat during process {number}.")
    return warnings


def _crash_warnings(answers: Sequence[Answer]) -> list[str]:
    return [
        f"process {number} crashed while it ended, after its results were complete (exit {answer.exit})."
        for number, answer in enumerate(answers, 1)
        if answer.exit
    ]


def _nondeterministic(answers: Sequence[Answer]) -> list[str]:
    first = answers[0].outputs
    changed = {at for answer in answers for at in answer.differing}
    changed |= {at for answer in answers for at, text in enumerate(answer.outputs) if text != first[at]}
    if not changed:
        return []
    which = ", ".join(str(at + 1) for at in sorted(changed))
    return [f"not deterministic: repeats of the same input gave different outputs (input {which})."]


def _warmup_warnings(answers: Sequence[Answer]) -> list[str]:
    restless = sum(not answer.steady for answer in answers)
    return [f"the warm-up did not settle in {restless} of {len(answers)} processes."] if restless else []


def _unstable(measurements: Sequence[Measurement], inputs: int) -> list[str]:
    """Findings about the end-to-end latency, each input by itself: different inputs may take different times.

    One line per kind of finding, with the worst process's: ten processes that say the same are one finding.
    """
    latencies = next((item for item in measurements if item.name == "end_to_end.latency"), None)
    warnings = []
    for at in range(inputs if latencies else 0):
        assert latencies is not None
        repeats = [group[at::inputs] for group in latencies.values if group[at::inputs]]
        where = f"unstable: end_to_end.latency of input {at + 1}"
        for check in _CHECKS:
            findings = [(number, text) for number, group in enumerate(repeats, 1) if (text := _finding(check, group))]
            others = f" ({len(findings) - 1} other processes likewise)" if len(findings) > 1 else ""
            warnings += [f"{where}, process {number}: {text}{others}." for number, text in findings[:1]]
        warnings += [f"{where}: {text}." for text in _between_processes(repeats)]
    return warnings


def _between_processes(repeats: Sequence[Sequence[float]]) -> list[str]:
    middles = [median(values) for values in repeats if len(values) >= 3]
    if len(middles) < 2 or min(middles) <= 0.0:
        return []
    apart = max(middles) / min(middles) - 1
    warnings = [f"the processes' medians differ by {apart:.0%}"] if apart > 0.05 else []
    # Mann and Kendall's test of a trend; it needs eight processes.
    pairs = [(b > a) - (b < a) for i, a in enumerate(middles) for b in middles[i + 1 :]]
    count = len(middles)
    z = sum(pairs) / math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    if count >= 8 and abs(z) > 3.0 and apart > 0.02:
        warnings.append(f"the processes got {'slower' if z > 0 else 'faster'} one after another, by {apart:.0%} in all")
    return warnings


def _advice(busy: bool, processes: int, threads: int, cores: int, answers: Sequence[Answer]) -> list[str]:
    steps = ["close other programs"] if busy else []
    if processes < 10:
        steps.append("--processes 10")
    before = answers[0].state[0] if answers[0].state else {}
    if threads < cores and before.get("pinned", 0) == cores:
        steps.append(f"pin it to its cores (taskset -c {0 if threads == 1 else f'0-{threads - 1}'} edgekit bench ...)")
    if before.get("governor") in ("powersave", "ondemand", "schedutil", "conservative"):
        steps.append("a fixed frequency (cpupower frequency-set -g performance)")
    return [*steps, "compare two bundles with --vs, which measures them in turns"]


def unstable(values: Sequence[float]) -> list[str]:
    """What looks wrong with values that ought to be repeats of the same measurement, in words; empty if nothing does.

    Looks at the spread (above 5 %), at a drift between the first and the second half (rank-sum test, and at least 2 %),
    at values that fall into two groups, and at values far away. Fewer than five values cannot be judged and give
    nothing.
    """
    return [finding for check in _CHECKS if (finding := _finding(check, values))]


def _finding(check: Callable[[Sequence[float]], str], values: Sequence[float]) -> str:
    return check(values) if len(values) >= 5 and median(values) > 0.0 else ""


def _wide(values: Sequence[float]) -> str:
    relative = spread(values)
    return f"values spread by {relative:.0%} around their median" if relative > 0.05 else ""


def _drifting(values: Sequence[float]) -> str:
    half = len(values) // 2
    if half < 5:
        return ""
    early, late = values[:half], values[-half:]
    shift = (median(late) - median(early)) / median(values)
    # Mann-Whitney U in its normal approximation; |z| > 3 is one false alarm in 370 quiet runs.
    wins = sum((b > a) + 0.5 * (b == a) for a in early for b in late)
    z = (wins - half * half / 2) / math.sqrt(half * half * (2 * half + 1) / 12)
    if abs(shift) <= 0.02 or abs(z) <= 3.0:
        return ""
    return f"values drift by {shift:+.0%} from the first half to the second"


def _bimodal(values: Sequence[float]) -> str:
    """The best split in two, by Ashman's D with a bar above what a split normal (2.7) or uniform (3.5) reaches."""
    ordered, count = sorted(values), len(values)
    smallest = max(2, count // 5)
    if count < 20:
        return ""
    cuts = range(smallest, count - smallest + 1)
    cut = max(cuts, key=lambda at: _between(ordered, at))
    (low, low_var), (high, high_var) = _moments(ordered[:cut]), _moments(ordered[cut:])
    apart = high - low
    if apart <= 0.05 * median(values) or apart <= 5.0 * math.sqrt((low_var + high_var) / 2):
        return ""
    return f"values fall into two groups, {cut} of them {apart / high:.0%} below the other {count - cut}"


def _outlying(values: Sequence[float]) -> str:
    middle = median(values)
    bar = 5.0 * MAD_TO_SD * mad(values) + 0.1 * middle
    far = sum(abs(value - middle) > bar for value in values)
    worst = max(values) / middle
    if far > 0.1 * len(values) or worst > 2.0:
        return f"{far} of {len(values)} values lie far from the median, the largest at {worst:.1f} times"
    return ""


def _between(ordered: Sequence[float], cut: int) -> float:
    """Variance between two groups (Otsu's criterion, up to a constant)."""
    low, high = math.fsum(ordered[:cut]) / cut, math.fsum(ordered[cut:]) / (len(ordered) - cut)
    return cut * (len(ordered) - cut) * (high - low) ** 2


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / len(values)


_CHECKS: tuple[Callable[[Sequence[float]], str], ...] = (_wide, _drifting, _bimodal, _outlying)
