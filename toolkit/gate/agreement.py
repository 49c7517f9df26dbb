"""Agreement: how many answers of a candidate are those of the fp32 reference, on real samples.

It needs no right answers. A loss of accuracy cannot exceed the share of other answers, so the lower bound of the share
of same answers bounds the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from edgekit.bench.statistics.proportion import lower_bound
from edgekit.bundles import manifest
from edgekit.core import Agreement, Objection

__all__ = ["FEWEST", "compared", "decided", "not_measured"]

#: With fewer samples the verdict is "undecided", however many answers are the same.
FEWEST = 8


def compared(
    agreement: Agreement, answers: Sequence[Any], reference: Sequence[Any], *, synthetic: bool = False
) -> manifest.Agreement:
    """The verdict on a candidate's `answers`, compared with the reference's on the same samples.

    Args:
        answers, reference: as `Agreement.answer` gives them. synthetic: the samples are noise.
    """
    same = [bool(flag) for flag in agreement.same(answers, reference)]
    figures = dict(agreement.figures(answers, reference)) if agreement.figures else {}
    if same and all(isinstance(answer, (str, list, tuple)) and not answer for answer in reference):
        return manifest.Agreement(
            verdict="undecided",
            reason=f"the reference itself answers nothing on all of {len(same)} samples; give --calibration DIR",
            what=agreement.what,
            of=len(same),
            bar=agreement.bar,
        )
    return decided(
        agreement.what,
        sum(same),
        len(same),
        agreement.bar,
        figures,
        bars=agreement.bars,
        synthetic=synthetic,
        bounds=agreement.bounds,
        objection=agreement.objection(answers, reference) if agreement.objection else None,
    )


def decided(
    what: str,
    same: int,
    of: int,
    bar: float,
    figures: Mapping[str, float],
    *,
    bars: Mapping[str, float] | None = None,
    synthetic: bool = False,
    bounds: bool = True,
    objection: Objection | None = None,
) -> manifest.Agreement:
    """The verdict that follows from the counts and the figures.

    Args:
        bars: figure -> its least value. A figure that is absent or no number misses its bar.
        objection: see `edgekit.core.Agreement`.
    """
    low = lower_bound(same, of)
    missed = [name for name, least in (bars or {}).items() if not figures.get(name, float("nan")) >= least]
    reason = f"{what} for {same} of {of} samples (at least {low:.1%}, 95 %)"
    verdict: Literal["pass", "fail", "undecided"] = "pass"
    if of and same / of < bar:
        verdict, reason = "fail", f"{reason}: less than the {bar:.0%} required"
    elif missed and of:
        verdict, reason = "fail", f"{reason}, but the {missed[0]} is {figures.get(missed[0], float('nan')):.4f}: "
        reason += f"less than the {(bars or {})[missed[0]]:g} required"
    elif of < FEWEST:
        verdict, reason = "undecided", f"{reason}: too few, {FEWEST} at least"
    elif synthetic:
        verdict, reason = "undecided", f"{reason}, but they are noise: --calibration DIR takes real samples"
    elif objection:
        verdict, reason = objection[0], f"{reason}, but {objection[1]}"
    elif bounds:
        reason = f"{reason}; a loss of accuracy is at most {1 - low:.1%}"
    return manifest.Agreement(
        verdict=verdict, reason=reason, what=what, same=same, of=of, low=low, bar=bar, figures=dict(figures)
    )


def not_measured(reason: str) -> manifest.Agreement:
    """The verdict where nothing was compared."""
    return manifest.Agreement(verdict="not measured", reason=reason)
