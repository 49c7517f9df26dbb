"""Whether a quantized part is faster than its fp32 form on this machine. Checked at every export: often it is not.

The two run call by call in turn, so that other load slows both alike. This check only warns: it uses a single
thread and a few seconds. `edgekit bench` measures properly.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from edgekit.bench.statistics import repeated
from edgekit.common.figures import NOT_MEASURED
from edgekit.common.packed import plain_name
from edgekit.core import Artifact, Facts, Feeds, Runner, Runtime
from edgekit.errors import EdgekitError

#: Most rounds, and fewest for a result. After so many seconds no more than the fewest are run; after so many, none.
_ROUNDS, _LEAST, _SECONDS, _LONGEST = 21, 5, 3.0, 15.0


def against_fp32(runtime: Runtime, artifact: Artifact, bundle: Path, work: Path, feeds: Sequence[Feeds]) -> Facts:
    """Seconds of a call of the artefact, and of the fp32 form that the exporter left in `work` (``PART*.fp32.*``).

    Args:
        bundle: folder that `artifact` names its file in. feeds: real inputs of the part; the first is used.

    Returns:
        ``{"fp32": s, "this": s, "ratio": this / fp32, "low": r, "high": r, "rounds": n, "threads": 1}``: medians, and
        the quartiles of the ratio. If it could not be measured: ``{"not measured": reason}``.
    """
    if runtime.untimed:
        return {NOT_MEASURED: runtime.untimed}
    forms = sorted(work.glob(f"{artifact.part}*.fp32{Path(plain_name(artifact.file)).suffix}"))
    if not forms:
        return {NOT_MEASURED: "there is no fp32 form of it to compare with"}
    if not feeds:
        return {NOT_MEASURED: "no input reached it"}
    try:
        runners = [runtime.load(file, 1) for file in (forms[0], bundle / artifact.file)]
        inputs = [_adapt_inputs(runner, feeds[0]) for runner in runners]
        return _compare_times(runners, inputs)
    except EdgekitError as exc:
        return {NOT_MEASURED: exc.message}


def _adapt_inputs(runner: Runner, feed: Feeds) -> Feeds:
    """The inputs under the runner's own names, whole numbers in its widths: an intermediate file need not have the
    part's."""
    pairs = zip(runner.inputs, feed.values(), strict=True)
    return {spec.name: value if value.dtype.kind == "f" else value.astype(spec.dtype) for spec, value in pairs}


def _compare_times(runners: Sequence[Runner], inputs: Sequence[Feeds]) -> Facts:
    times: list[list[float]] = [[], []]
    began = time.perf_counter()
    for round_ in range(_ROUNDS + 1):
        took = []
        for runner, feed in zip(runners, inputs, strict=True):
            before = time.perf_counter()
            runner(feed)
            took.append(time.perf_counter() - before)
        if round_:  # the first round is a warm-up
            for held, seconds in zip(times, took, strict=True):
                held.append(seconds)
        if time.perf_counter() - began > (_SECONDS if round_ >= _LEAST else _LONGEST):
            break
    if len(times[0]) < _LEAST:
        return {NOT_MEASURED: f"{_LONGEST:g} seconds were too short for {_LEAST} rounds"}
    if min(map(min, times)) <= 0:
        return {NOT_MEASURED: "a call is shorter than the clock can tell"}
    ratios = sorted(this / fp32 for fp32, this in zip(*times, strict=True))
    quarter = len(ratios) // 4
    return {
        "fp32": repeated.median(times[0]),
        "this": repeated.median(times[1]),
        "ratio": repeated.median(ratios),
        "low": ratios[quarter],
        "high": ratios[-1 - quarter],
        "rounds": len(ratios),
        "threads": 1,
    }
