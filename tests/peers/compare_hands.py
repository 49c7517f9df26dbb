"""hand-landmarks beside the package's own pipeline: how many hands both see, and how far their points lie apart.

    python tests/peers/compare_hands.py FOLDER --mediapipe .venv-mediapipe/bin/python

FOLDER holds photographs; the other environment has mediapipe 0.10.21. MediaPipe averages boxes that overlap, cuts
pictures out with another interpolation and uses its own kernels, so that points differ by some hundredths of a hand.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import edgekit

#: A hand of both: the mean distance of its points, as a share of its longer side, is no more than this.
SAME = 0.25
Hand = Sequence[Sequence[float]]

_MEDIAPIPE = """
import json, sys
import cv2, mediapipe
hands = mediapipe.solutions.hands.Hands(
    static_image_mode=True, max_num_hands=2, model_complexity=1, min_detection_confidence=0.5
)
answers = {}
for name in json.load(sys.stdin):
    image = cv2.cvtColor(cv2.imread(name), cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    found = hands.process(image).multi_hand_landmarks or []
    answers[name] = [[[point.x * width, point.y * height] for point in hand.landmark] for hand in found]
json.dump(answers, sys.stdout)
"""


def theirs(python: Path, files: Sequence[Path]) -> Mapping[str, list[Hand]]:
    """Of each file the hands that the package sees."""
    names = json.dumps([str(file) for file in files])
    done = subprocess.run([python, "-c", _MEDIAPIPE], input=names, capture_output=True, text=True, check=True)
    answers: dict[str, list[Hand]] = json.loads(done.stdout)
    return answers


def distance(hand: Hand, other: Hand) -> float:
    """The mean distance of points as a share of the longer side of `other`."""
    size = max(max(point[axis] for point in other) - min(point[axis] for point in other) for axis in (0, 1))
    return statistics.mean(math.dist(*pair) for pair in zip(hand, other, strict=True)) / size


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mediapipe", type=Path, required=True, help="the interpreter of its environment")
    parser.add_argument("--bundle", type=Path, help="a finished bundle; default: exported now, for laptop, in fp32")
    arguments = parser.parse_args()
    files = sorted(file for file in arguments.folder.rglob("*") if file.suffix in (".jpg", ".png"))
    with tempfile.TemporaryDirectory() as scratch:
        bundle = arguments.bundle or Path(scratch) / "bundle"
        if arguments.bundle is None:
            edgekit.export("hand-landmarks", "laptop", precision="fp32", out=bundle)
        predictor = edgekit.load(bundle)
        mine = {str(file): [one["points"] for one in predictor.predict(file).metric_input] for file in files}
    wanted = theirs(arguments.mediapipe, files)
    print(json.dumps(_figures(mine, wanted), indent=1))
    return 0


def _figures(mine: Mapping[str, list[Hand]], wanted: Mapping[str, list[Hand]]) -> dict[str, Any]:
    nearest = [
        min((distance(hand, other) for hand in mine[name]), default=math.inf)
        for name, others in wanted.items()
        for other in others
    ]
    same = [value for value in nearest if value <= SAME]
    return {
        "pictures": len(mine),
        "hands here": sum(map(len, mine.values())),
        "hands of the package": len(nearest),
        "of both": len(same),
        "median distance": round(statistics.median(same), 4) if same else None,
        "largest distance": round(max(same), 4) if same else None,
    }


if __name__ == "__main__":
    sys.exit(main())
