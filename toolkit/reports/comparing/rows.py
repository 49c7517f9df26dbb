"""A row of a comparison: one measurement in two reports, judged by an interval or, if it is a count, exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.bench.statistics import repeated
from edgekit.common.figures import NOT_MEASURED, figure, printable
from edgekit.core import Measurement, Report
from edgekit.errors import BadInput
from edgekit.reports.comparing.proofs import ACCURACY, AGREEMENT
from edgekit.reports.summary import strata

#: Smaller changes are not reported. The place of a process in memory, or a page more or less, moves values by as
#: much (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", ASPLOS 2009), and two
#: measurements of the same bundle must not come out as different.
LEAST = 0.01

_PROOFS = (ACCURACY, AGREEMENT)


@dataclass(frozen=True)
class Row:
    """The comparison of a measurement.

    Attributes:
        base, new: medians in `unit`, None if the report lacks the measurement.
        verdict: sizes get "smaller" and "larger", proofs "better" and "worse", everything else "faster" and "slower";
            counts are "equal". "cannot tell", "not measured" (new), "lost". A verdict of the gate that is no longer
            good says what became of it ("pass to undecided").
        ratio: new / base, with its 95 % interval `low` to `high`; None if it is not defined.
        regressed: clearly worse, and by more than accepted; or lost.
        exact: it is a count, compared without an interval.
    """

    name: str
    unit: str
    base: float | None
    new: float | None
    ratio: float | None
    low: float | None
    high: float | None
    verdict: str
    regressed: bool
    exact: bool = False

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Base, new, ratio and interval as texts; of a count with all its digits."""
        texts = _all_digits if self.exact else figure
        ratio = "-" if self.ratio is None else f"{self.ratio:{'.6g' if self.exact else '.3f'}}"
        bounds = "-" if self.low is None or self.high is None else f"{self.low:.3f} .. {self.high:.3f}"
        return texts(self.base, self.unit), texts(self.new, self.unit), ratio, "exact" if self.exact else bounds

    @property
    def loss(self) -> str:
        """A regression in words."""
        if self.ratio is None or self.exact:
            return f"{self.name} ({' to '.join(self.cells[:2]) if self.exact else self.verdict})"
        return f"{self.name} ({self.ratio:.2f} times)"


def in_turns(base: Report, new: Report) -> bool:
    """Whether their processes took turns in the same session."""
    runs = [report.host.get("run") for report in (base, new)]
    sessions = [facts.get("session") if isinstance(facts, Mapping) else None for facts in runs]
    return isinstance(sessions[0], str) and bool(sessions[0]) and sessions[0] == sessions[1]


def compare_measurements(
    old: Measurement | None, new: Measurement | None, reports: tuple[Report, Report], limit: float
) -> Row:
    """The row of a measurement that one of the `reports` or both have. limit: the accepted loss as a fraction.

    Raises:
        BadInput: the two are in different units.
    """
    item = old or new
    assert item is not None, "a name comes from one of the two"
    name = item.name
    before, after = (
        repeated.middle(item.values, strata(report, item)) if item else None
        for item, report in zip((old, new), reports, strict=True)
    )
    if old is None or new is None:
        verdict = "lost" if new is None else "not measured"
        return Row(name, item.unit, before, after, None, None, None, verdict, new is None and limit < math.inf)
    if (old.unit, old.better) != (new.unit, new.better):
        raise BadInput(f"{name!r} is in {old.unit} ({old.better} is better) in one report and {new.unit} in the other.")
    if is_count(old, reports[0]) and is_count(new, reports[1]):
        return _exact_row(old, new, limit)
    groups = strata(reports[0], old)
    groups = groups if groups == strata(reports[1], new) else 1
    paired = in_turns(*reports) and len(old.values) == len(new.values)
    ratio = repeated.ratio(old.values, new.values, strata=groups, paired=paired)
    bounds = repeated.ratio_interval(old.values, new.values, strata=groups, paired=paired)
    low, high = bounds or (None, None)
    differs = not (ratio is None or low is None or high is None or low <= 1.0 <= high or abs(ratio - 1.0) < LEAST)
    worse = differs and (low is not None and low > 1.0) == (old.better == "lower")
    # For rates, 5 % worse is a ratio of 1 / 1.05: the same work then takes 5 % longer.
    loss = math.inf if not ratio else ratio if old.better == "lower" else 1.0 / ratio
    verdict = _word(old, worse) if differs else "cannot tell"
    return Row(name, old.unit, before, after, ratio, low, high, verdict, worse and loss > 1.0 + limit)


def is_count(item: Measurement, report: Report) -> bool:
    """Whether a measurement has no noise: a proof, bytes of a file, or what an emulator counts, the same in each run.

    Memory of a process is no count: it is another in each process.
    """
    if item.name in _PROOFS or (item.unit == "B" and item.name.endswith(".size")):
        return True
    counted = report.fidelity in ("emulated", "structural") and item.unit in ("B", "instructions")
    return counted and all(group == item.values[0] for group in item.values)


def _exact_row(old: Measurement, new: Measurement, limit: float) -> Row:
    """Of several values (an inference of each golden input) their mean is compared."""
    before, after = (sum(item.values[0]) / len(item.values[0]) for item in (old, new))
    facts = (old.name, old.unit, before, after, after / before if before else None, None, None)
    # A proof is a mean of floats, whose last digits hang on the order of its sum.
    if math.isclose(before, after, rel_tol=1e-9 if old.name in _PROOFS else 0.0):
        return Row(*facts, "equal", False, True)
    more, less = (after, before) if old.better == "lower" else (before, after)
    loss = more / less if less > 0.0 else math.inf
    return Row(*facts, _word(old, more > less), more > less and loss > 1.0 + limit, True)


def _word(item: Measurement, worse: bool) -> str:
    if item.name in _PROOFS:
        return "worse" if worse else "better"
    if item.unit == "B":
        return "larger" if worse else "smaller"
    return "slower" if worse else "faster"


def _all_digits(value: float | None, unit: str) -> str:
    """A count with all its digits; a share with six."""
    if value is None:
        return NOT_MEASURED
    digits = f"{value:,.0f}" if value.is_integer() else f"{value:.6g}"
    return digits if unit == "1" else f"{digits} {printable(unit)}"
