"""Speaker verification: whether the same person speaks in two clips.

Non-goals: diarization (who speaks when), and training.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from edgekit.core import Facts, Sample, Task
from edgekit.errors import BadInput
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.common.folders import need_files, plain_samples, sounds_below
from edgekit.tasks.evidence.speech import VOICES

#: Most trials of a folder; of more, an even selection is taken.
_MOST_TRIALS = 4000


def samples(folder: Path) -> Sequence[Sample]:
    """Trials, which are all pairs of clips, of a folder of sounds per speaker; or plain sounds, without a truth.

    Of more than `_MOST_TRIALS` pairs, an even selection of same-speaker and different-speaker pairs, half of each if
    there are enough.

    Raises:
        BadInput: no sound, a single speaker, or no speaker with two clips.
    """
    sounds = need_files(sounds_below(folder), folder, "no sound")
    if all(path.parent == folder for path in sounds):
        return plain_samples(sounds, folder, "no sound")
    stray = next((path.name for path in sounds if path.parent == folder), None)
    if stray is not None:
        raise BadInput(f"{folder} holds {stray} beside folders of speakers: whose voice is it?", hint=_LAYOUT)
    speakers = [path.relative_to(folder).parts[0] for path in sounds]
    if len(set(speakers)) < 2:
        raise BadInput(f"{folder} holds one speaker only; to tell people apart takes two.", hint=_LAYOUT)
    if len(set(speakers)) == len(speakers):
        raise BadInput(f"{folder} holds no two clips of anyone, so there is nobody to recognise.", hint=_LAYOUT)
    named = [(speaker, path) for speaker, path in zip(speakers, sounds, strict=True)]
    pairs = list(combinations(named, 2))
    targets = [pair for pair in pairs if pair[0][0] == pair[1][0]]
    others = [pair for pair in pairs if pair[0][0] != pair[1][0]]
    if len(pairs) > _MOST_TRIALS:
        few = min(len(targets), len(others), _MOST_TRIALS // 2)
        targets = _even(targets, max(few, _MOST_TRIALS - len(others)))
        others = _even(others, _MOST_TRIALS - len(targets))
    return [
        Sample((str(a), str(b)), truth, f"{_trial_name(folder, a)}|{_trial_name(folder, b)}")
        for truth, chosen in ((True, targets), (False, others))
        for (_, a), (_, b) in chosen
    ]


_LAYOUT = "Give one folder of sounds for each speaker; see docs/data.md."


def _even(items: list[Any], most: int) -> list[Any]:
    return [items[i * len(items) // most] for i in range(most)] if len(items) > most else items


def _trial_name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def operate(scores: Sequence[Any], truths: Sequence[Any], options: Facts) -> Facts:
    """The threshold of equal error rate (as many strangers accepted as speakers refused), and its error rates.

    Args:
        scores, truths: of the trials: cosines, and whether the same person speaks in both clips.

    Raises:
        BadInput: an option (there are none), or no trials of either kind.
    """
    if options:
        raise BadInput(f"a speaker model has no option {min(options)!r} for its threshold.")
    ordered = sorted((float(score), bool(truth)) for score, truth in zip(scores, truths, strict=True))
    targets = sum(truth for _, truth in ordered)
    others = len(ordered) - targets
    if not targets or not others:
        raise BadInput("a threshold needs trials of one speaker and trials of two.", hint=_LAYOUT)
    missed, refused, best = 0, 0, (2.0, 0.0, 0.0, 0.0)
    for i, (score, truth) in enumerate(ordered):
        if i and score > ordered[i - 1][0]:  # in the middle between two scores, neither is on the edge
            misses, alarms = missed / targets, 1.0 - refused / others
            best = min(best, (abs(misses - alarms), (score + ordered[i - 1][0]) / 2, misses, alarms))
        missed, refused = missed + truth, refused + (not truth)
    _, threshold, misses, alarms = best
    return {"threshold": threshold, "misses": misses, "false_alarms": alarms, "trials": len(ordered)}


TASK = Task(
    "audio-speaker-verification",
    "sound",
    "answers",
    lambda folder, labels: samples(folder),
    metric="eer",
    golden="data/golden/jfk.flac",
    evidence=VOICES,
    agreement=of_vectors(cosine=0.98, ranks=0.98),
)
