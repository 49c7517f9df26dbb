"""The comparison as Markdown. Numbers come from `_figures`; nothing is computed here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from _figures import OURS, Accuracy, Bar, better_rival, measured, ratio_of_totals, sound_ratios, total
from _turns import Section

from edgekit.bench.statistics.repeated import median, percentile, spread

_TITLES = {
    "clips": "Clips: {n} of LibriSpeech, {least:.0f} to {most:.0f} s each, {minutes:.1f} minutes in all",
    "long": "One recording of {minutes:.1f} minutes, joined from those clips",
}
_METHOD = """\
- Every contestant is a process of its own that keeps its model loaded. Each sound goes through all of them, one at
  a time, in an order drawn anew, before the next sound begins. A warm-up round is thrown away.
- Times are from the path to the text, with decoding of the file. The time of a sound is its median over the rounds.
- *Total ratio* is edgekit's total over the contestant's, with a 95 % bootstrap interval over sounds and rounds.
  *Per sound* is the median of the sounds' ratios and their 5th to 95th percentile. *Spread* is the relative
  deviation of a sound's times between rounds (median absolute deviation).
- Every contestant is greedy, in English, without text carried from window to window. Each has its own default
  fallback to higher temperatures, and uses {threads} threads.
- As is its default, edgekit looks for speech in the long recording first, and recognizes windows side by side. The
  others slide over the sound without looking for speech, which is their default.
- A short sound gets a window as long as it needs from edgekit (docs/whisper-window.md). The others encode 30 s
  whatever the length, which is their default.
- pywhispercpp is the wheel that pip installs, built for every processor with AVX2 rather than for this one.
- Peak memory is the kernel's (`VmHWM`), reset after loading. Its parts were sampled in the warm-up round and need
  not have peaked together."""

_RULE = """\
Met or missed is what the whole interval says; where it crosses the bar, undecided. A peak of memory is one value:
within 1 % of the bar it is undecided."""


def render(
    sections: Sequence[Section],
    accuracy: Sequence[Accuracy],
    bars: Sequence[Bar],
    peers: Mapping[str, tuple[int, float]],
    facts: Mapping[str, Any],
) -> str:
    """The page.

    Args:
        peers: contestant → (sounds, word error rate against transcripts).
        facts: command, threads, rounds, host, versions (by contestant), absent (contestant → why), warnings.
    """
    host = facts["host"]
    lines = ["# Side by side with other tools", "", "Made by", "", f"    {facts['command']}", ""]
    lines.append(
        f"on {host['cpu']} ({host['cores']} cores{', virtualised' if host['virtualised'] else ''}), "
        f"{round(host['memory'] / 2**30) if host['memory'] else '?'} GiB, {host['release']}, kernel {host['kernel']}; "
        f"load average before the start {host['load_average']:.1f}."
        if host["load_average"] is not None
        else f"on {host['cpu']}."
    )
    lines += ["", _METHOD.format(threads=facts["threads"]), "", "## The bars", "", _RULE, ""]
    lines += ["| demand | against | at most | measured | 95 % interval | |", "|---|---|---|---|---|---|"]
    lines += [_bar(bar) for bar in bars]
    for section in sections:
        lines += _section(section, facts)
    if accuracy:
        lines += _accuracy(accuracy, peers)
    lines += ["", "## Versions", ""]
    lines += [f"- {name}: {version}" for name, version in facts["versions"].items()]
    lines += [f"- {name}: not measured: {why}" for name, why in facts["absent"].items()]
    if facts["warnings"]:
        lines += ["", "## Reasons for doubt", "", *(f"- {warning}" for warning in facts["warnings"])]
    return "\n".join(lines) + "\n"


def _bar(bar: Bar) -> str:
    percent = bar.unit == "of words"
    interval = "" if bar.low is None or bar.high is None else _range(bar.low, bar.high, percent)
    value = "not measured" if bar.value is None else _number(bar.value, percent)
    return f"| {bar.what} | {bar.against} | {_number(bar.most, percent)} | {value} | {interval} | {bar.verdict} |"


def _range(low: float, high: float, percent: bool = False) -> str:
    if high == math.inf:
        return "one value: no interval"
    return f"{_number(low, percent)} to {_number(high, percent)}"


def _number(value: float, percent: bool) -> str:
    # Three digits: 1.002 misses a bar of 1, and would read as 1.00.
    return f"{100 * value:.2f} points" if percent else f"{value:.3f}"


def _section(section: Section, facts: Mapping[str, Any]) -> list[str]:
    seconds = sum(section.audio)
    title = _TITLES[section.name].format(
        n=len(section.audio), least=min(section.audio), most=max(section.audio), minutes=seconds / 60
    )
    rival = better_rival(section)
    lines = ["", f"## {title}", "", f"{section.rounds} rounds. The fastest other tool: {rival or 'not measured'}.", ""]
    lines.append("| | RTF | CPU s per audio s | total ratio | per sound | spread | peak MiB | anonymous + file |")
    lines.append("|---|---|---|---|---|---|---|---|")
    for name in measured(section):
        wall, memory = section.wall[name], section.memory[name]
        ratio, each = "", ""
        if name != OURS:
            whole = ratio_of_totals(section.wall[OURS], wall, seed=facts["seed"])
            ratio = f"{whole.value:.2f} ({_range(whole.low, whole.high)})"
            ratios = sound_ratios(section.wall[OURS], wall)
            if len(ratios) > 1:
                each = f"{median(ratios):.2f} ({percentile(ratios, 5):.2f} to {percentile(ratios, 95):.2f})"
        between = median([spread(rounds) for rounds in wall]) if section.rounds > 1 else None
        lines.append(
            f"| {name} | {total(wall) / seconds:.4f} | {total(section.cpu[name]) / seconds:.4f} | {ratio} | {each} "
            f"| {'' if between is None else f'{between:.0%}'} | {_mib(memory.get('peak'))} "
            f"| {_mib(memory['anonymous'])} + {_mib(memory['file'])} |"
        )
    for name, why in {**facts["absent"], **section.failed}.items():
        lines.append(f"| {name} | not measured: {why} | | | | | | |")
    return lines


def _mib(size: int | None) -> str:
    return "not measured" if size is None else f"{size / 2**20:.0f}"


def _accuracy(accuracy: Sequence[Accuracy], peers: Mapping[str, tuple[int, float]]) -> list[str]:
    lines = [
        "",
        "## Accuracy",
        "",
        "| sounds | | int8 | fp32 | int8 minus fp32 | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for row in accuracy:
        drop = row.drop
        lines.append(
            f"| {row.name} | {row.samples} | {row.int8:.2%} | {row.fp32:.2%} | {100 * drop.value:.2f} points "
            f"| {100 * drop.low:.2f} to {100 * drop.high:.2f} |"
        )
    lines += ["", "Where fp32 text is the reference, every difference counts as an error of int8, right or wrong.", ""]
    lines += ["| | word error rate against transcripts |", "|---|---|"]
    lines += [f"| {name} | {rate:.2%} ({count} sounds) |" for name, (count, rate) in peers.items()]
    return lines
