"""Agreement: how many answers of a candidate are those of the fp32 reference, on real samples.

It needs no right answers. A loss of accuracy cannot exceed the share of other answers. What is counted for a bound are
independent sources (a photograph, a reader, a document), never views of one: a source agrees if all its samples do, so
the exact interval of a proportion holds for sources. Samples to which the reference answers nothing show nothing but
false alarms, and are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from edgekit.bench.statistics.paired import Estimate
from edgekit.bench.statistics.proportion import lower_bound
from edgekit.bundles import manifest
from edgekit.common.figures import too_few
from edgekit.core import Agreement, Objection

#: With fewer independent sources the verdict is "undecided", however many answers are the same.
FEWEST = 8


@dataclass(frozen=True)
class Count:
    """Same answers, counted.

    Attributes:
        same, of: of samples to which the reference answers something. agreeing, sources: of their independent sources.
        empty_same, empty: of samples to which the reference answers nothing.
    """

    same: int
    of: int
    agreeing: int
    sources: int
    empty_same: int = 0
    empty: int = 0

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval of the share of sources whose answers are all the same."""
        return lower_bound(self.agreeing, self.sources)


@dataclass(frozen=True)
class Grounds:
    """What a verdict of agreement rests on beside the counts.

    Attributes:
        figures: of the answers. objection: see `edgekit.core.Agreement`.
        positions: share of positions of sequences with the same likeliest next token; divergence: mean KL divergence
            there, nats. Both by source; None: answers are no sequences.
        synthetic: the samples are noise. tried: of how many recipes the candidate was chosen.
        spent: it was chosen on these very samples.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    objection: Objection | None = None
    positions: Estimate | None = None
    divergence: Estimate | None = None
    synthetic: bool = False
    tried: int = 1
    spent: bool = False


def count(
    same: Sequence[bool], reference: Sequence[Any], sources: Sequence[str], nothing: Callable[[Any], bool]
) -> Count:
    """Count same answers, by sample and by source.

    Args:
        reference: the reference's answers. sources: of each sample, the name of its source; empty: each its own.
        nothing: whether an answer says that nothing is there.
    """
    agreeing: dict[str, bool] = {}
    empty = [nothing(answer) for answer in reference]
    for flag, none, source in zip(same, empty, sources or map(str, range(len(same))), strict=True):
        if not none:
            agreeing[source] = agreeing.get(source, True) and flag
    counted = [flag for flag, none in zip(same, empty, strict=True) if not none]
    apart = [flag for flag, none in zip(same, empty, strict=True) if none]
    return Count(sum(counted), len(counted), sum(agreeing.values()), len(agreeing), sum(apart), len(apart))


def compare(
    agreement: Agreement,
    answers: Sequence[Any],
    reference: Sequence[Any],
    *,
    sources: Sequence[str] = (),
    grounds: Grounds | None = None,
) -> manifest.Agreement:
    """The verdict on a candidate's `answers`, compared with the reference's on the same samples.

    Args:
        answers, reference: as `Agreement.answer` gives them. sources: see `count`.
        grounds: what else is known; its figures and objection are found here.
    """
    same = [bool(flag) for flag in agreement.same(answers, reference)]
    counted = count(same, reference, sources, agreement.nothing)
    grounds = replace(
        grounds or Grounds(),
        figures=dict(agreement.figures(answers, reference)) if agreement.figures else {},
        objection=agreement.objection(answers, reference) if agreement.objection else None,
    )
    return decide(agreement, counted, grounds)


def decide(agreement: Agreement, counted: Count, grounds: Grounds) -> manifest.Agreement:
    """The verdict that follows from the counts and the figures. A figure that is absent or no number misses its bar."""
    figures = dict(grounds.figures)
    reason = f"{agreement.what} for {counted.same} of {counted.of} samples ("
    if counted.sources != counted.of:
        reason += f"all samples of {counted.agreeing} of {counted.sources} independent sources, "
    reason += f"at least {counted.low:.1%}, 95 %)"
    if counted.empty:
        reason += f"; {counted.empty_same} of {counted.empty} others, in which fp32 finds nothing, are found empty, too"
    if grounds.positions is not None:
        figures |= {"same likeliest next token": grounds.positions.value, "at least": grounds.positions.low}
        reason += f"; forced to fp32's answers, the same likeliest next token at {grounds.positions.value:.1%} of "
        reason += f"positions (at least {grounds.positions.low:.1%})"
    if grounds.divergence is not None:
        figures["KL divergence, nats per position"] = grounds.divergence.value
    verdict, why = _judge(agreement, counted, grounds)
    reason += why
    if verdict == "pass" and agreement.bounds:
        reason += f"; a loss of accuracy is at most {1 - counted.low:.1%}"
    if grounds.tried > 1:
        reason += f"; chosen among {grounds.tried} recipes"
    return manifest.Agreement(
        verdict=verdict,
        reason=reason,
        what=agreement.what,
        same=counted.same,
        of=counted.of,
        low=None if grounds.synthetic else counted.low,
        bar=agreement.bar,
        figures=figures,
        sources=counted.sources,
        agreeing=counted.agreeing,
        empty=counted.empty,
        empty_same=counted.empty_same,
        floor=agreement.floor,
        tried=grounds.tried,
    )


def _judge(agreement: Agreement, counted: Count, grounds: Grounds) -> tuple[Literal["pass", "fail", "undecided"], str]:
    """The verdict, and why, as the end of a sentence."""
    bar = agreement.bar
    if counted.of and counted.same / counted.of < bar:
        return "fail", f": less than the {bar:.0%} required"
    if counted.empty and counted.empty_same / counted.empty < bar:
        return "fail", f": fewer than the {bar:.0%} required"
    for name, least in agreement.bars.items():
        value = grounds.figures.get(name, float("nan"))
        if counted.of and not value >= least:
            return "fail", f", but the {name} is {value:.4f}: less than the {least:g} required"
    if grounds.objection and grounds.objection[0] == "fail":
        return "fail", f", but {grounds.objection[1]}"
    if not counted.of:
        return "undecided", f": the reference itself answers nothing on all of {counted.empty} samples; {_MORE}"
    if grounds.synthetic:
        return "undecided", f": not judged, as the samples are noise; {_MORE}"
    if counted.sources < FEWEST:
        return "undecided", f": {too_few(counted.sources, 'source')}, {FEWEST} at least; {_MORE}"
    if grounds.objection:
        return grounds.objection[0], f", but {grounds.objection[1]}"
    sure = counted.low if grounds.positions is None else grounds.positions.low
    if grounds.spent:
        return "undecided", f": it was chosen on these samples, which are too few to be split; {_MORE}"
    if sure < agreement.floor:
        few = too_few(counted.sources, "source")
        return "undecided", f": {few} to be sure of the {agreement.floor:.0%} required; {_MORE}"
    return "pass", ""


_MORE = "--evidence DIR takes more"


def judge_chosen(
    judge: Callable[[slice, Grounds], manifest.Agreement], choosing: int, of: int, tried: int
) -> tuple[manifest.Agreement, manifest.Agreement]:
    """The verdict by the samples that may choose a recipe, and the one that tells of the recipe that was chosen.

    What other recipes were compared on does not prove the one that was left: it is judged by the other samples. Where
    all of them chose, it is not proven. An export and `verify` ask alike.

    Args:
        judge: the verdict on the answers at these places. choosing: how many of the `of` samples, the first ones, may
            choose. tried: how many recipes were, with this one.
    """
    grounds = Grounds(tried=tried)
    apart = choosing < of
    first = judge(slice(choosing if apart else None), Grounds())
    if first.verdict == "fail" or (tried == 1 and not apart):
        return first, first
    if not apart:
        return first, judge(slice(None), replace(grounds, spent=True))
    return first, judge(slice(choosing, None) if tried > 1 else slice(None), grounds)


def not_measured(reason: str) -> manifest.Agreement:
    """The verdict where nothing was compared."""
    return manifest.Agreement(verdict="not measured", reason=reason)
