"""How far can Whisper's 30 s window be cut before accuracy moves? Makes the table of docs/whisper-window.md.

    python tests/peers/window_sweep.py FP32_BUNDLE --markdown table.md

Most LibriSpeech clips of the shared data have no transcript here, so the yardstick is the model's own best effort:
fp32, the full window, timestamps, five beams. Every setting is then greedy without timestamps, as clips are transcribed
by default. An *early stop* is an answer with less than half of the yardstick's words: without timestamps, Whisper
sometimes ends after a heading ("Chapter 31") although the speaker goes on. It is counted apart, because the full
window has it too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import edgekit
from edgekit.bench.metrics import table
from edgekit.bench.statistics.paired import Pair, paired_bootstrap, ratio

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

#: (least, margin) in seconds; None is the original's full window.
SETTINGS = (None, (20.0, 5.0), (15.0, 4.0), (12.0, 3.0), (10.0, 2.0), (6.0, 1.0))


@dataclass(frozen=True)
class Row:
    setting: tuple[float, float] | None
    window: float
    pairs: list[Pair]
    short: list[bool]
    again: int


def clips() -> list[str]:
    """106 clips: 60 + 40 of LibriSpeech, six with transcripts."""
    found = [*SHARED.glob("librispeech-*/**/*.flac"), *(SHARED / "speech").glob("*.wav"), SHARED / "speech/jfk.flac"]
    return sorted(str(path) for path in found)


def sweep(bundle: str, files: Sequence[str], threads: int) -> list[Row]:
    """One row a setting; deterministic, whatever else the machine does."""
    transcriber = edgekit.load(bundle, threads)
    plain = {"language": "en", "temperatures": (0.0,)}
    best = [transcriber.predict(f, language="en", window=30.0, timestamps=True, beams=5).output for f in files]
    rows = []
    for setting in SETTINGS:
        options = dict(plain) if setting else {**plain, "window": 30.0}
        if setting:
            transcriber._window = {"least": setting[0], "margin": setting[1], "step": 1.0}  # type: ignore[attr-defined]
        found = [transcriber.predict(f, **options) for f in files]
        outputs = [prediction.output for prediction in found]
        windows = [prediction.details["windows"] for prediction in found]
        short = [2 * len(o.split()) < len(b.split()) for o, b in zip(outputs, best, strict=True)]
        mean = sum(w[0] for w in windows) / len(windows)
        rows.append(Row(setting, mean, table.wer(outputs, best), short, sum(len(w) > 1 for w in windows)))
        print(line(rows[-1], rows[0]), flush=True)
    return rows


def line(row: Row, full: Row) -> str:
    """One line of the table; clips that stop early under this setting or the full window are left out of the rate."""
    keep = [i for i, s in enumerate(row.short) if not s and not full.short[i]]
    mine, base = [row.pairs[i] for i in keep], [full.pairs[i] for i in keep]
    change = paired_bootstrap(mine, base)
    name = "full window" if row.setting is None else f"at least {row.setting[0]:g} s, margin {row.setting[1]:g} s"
    moved = "-" if row.setting is None else f"{change.value:+.2%} ({change.low:+.2%} to {change.high:+.2%})"
    return f"| {name} | {row.window:.1f} s | {ratio(mine):.2%} | {moved} | {sum(row.short)} | {row.again} |"


HEADER = """\
| setting | mean window | unlike the yardstick | against the full window (95 %) | early stops | twice encoded |
|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth clip only")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    print(HEADER)
    rows = sweep(arguments.bundle, clips()[:: arguments.every], arguments.threads)
    if arguments.markdown:
        lines = [HEADER, *(line(row, rows[0]) for row in rows)]
        arguments.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
