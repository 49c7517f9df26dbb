"""Wake words in int8: which of 216 phrases are missed, beside fp32.

    python tests/peers/compare_wakewords.py FP32 BUNDLE...

Bundles of `openwakeword-hey-jarvis`. espeak-ng says the phrase in 12 voices, at 6 speeds and 3 pitches; it is heard
where a score reaches the published threshold of 0.5. Nothing depends on the machine's load. Exit status 1: a bundle
misses more than the first.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from helpers.toys.voices import spoken  # noqa: E402

import edgekit  # noqa: E402

VARIANTS = ("", "+f2", "+f3", "+m3", "+m7")
VOICES = (*(f"{voice}{variant}" for voice in ("en-us", "en-gb") for variant in VARIANTS), "en-us+f5", "en-gb+m5")
SPEEDS, PITCHES = (120, 140, 160, 180, 200, 220), (30, 50, 70)
#: Of 256 steps of a score.
THRESHOLD = 128


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="+")
    bundles = parser.parse_args().bundles
    with TemporaryDirectory() as scratch:
        sounds = [
            spoken("hey jarvis", voice, speed, Path(scratch), pitch).astype(np.float32) / 32768
            for voice, speed, pitch in itertools.product(VOICES, SPEEDS, PITCHES)
        ]
    print("| bundle | missed | decided as the first | missed anew | heard anew | scores differ by, mean |")
    print("|---|---|---|---|---|---|")
    scores = []
    for bundle in bundles:
        spotter = edgekit.load(bundle, threads=1)
        scores.append(np.array([float(spotter.predict(sound).score.scores[:, 0].max()) for sound in sounds]))
        heard, before = scores[-1] >= THRESHOLD, scores[0] >= THRESHOLD
        counts = [np.sum(~heard), np.sum(heard == before), np.sum(before & ~heard), np.sum(heard & ~before)]
        off = np.abs(scores[-1] - scores[0]).mean() / 256
        print(f"| {bundle.name} | {' | '.join(str(count) for count in counts)} | {off:.3f} |", flush=True)
    missed = [int(np.sum(score < THRESHOLD)) for score in scores]
    return int(max(missed) > missed[0])


if __name__ == "__main__":
    sys.exit(main())
