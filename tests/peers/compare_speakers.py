"""Speaker bundles beside fp32 torch: the cosine of the two embeddings of every clip, and the real-time factor.

    python tests/peers/compare_speakers.py BUNDLE... --clips FOLDER...

One thread; a clip's time is from the file to its embedding, decoding included, and the model is warm. Exit status 1: a
cosine below 0.99, or a real-time factor (of all clips together) of 0.01 or more.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from helpers.toys.references import floats  # noqa: E402

import edgekit  # noqa: E402
from edgekit.bundles.bundle import open_bundle  # noqa: E402

LEAST, MOST = 0.99, 0.01
SOUNDS = (".flac", ".wav")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--clips", type=Path, nargs="+", required=True)
    given = parser.parse_args()
    print("| bundle | clips of | clips | cosine with fp32: least | 5 % below | median | real-time factor |")
    print("|---|---|---|---|---|---|---|")
    missed = False
    for path in given.bundles:
        bundle = open_bundle(path)
        ours, reference = edgekit.load(path, threads=1), floats(bundle.manifest.model.name)
        for folder in given.clips:
            clips = sorted(str(file) for file in folder.rglob("*") if file.suffix in SOUNDS)
            ours.predict(clips[0])
            cosines, spent, heard = [], 0.0, 0.0
            for clip in clips:
                began = time.perf_counter()
                voice = ours.predict(clip)
                spent += time.perf_counter() - began
                heard += voice.units["audio_seconds"]
                wanted = reference.predict(clip).details["embedding"]
                cosines.append(float(np.dot(voice.details["embedding"], wanted)))
            low, middle = np.quantile(cosines, (0.05, 0.5))
            told = f"{min(cosines):.4f} | {low:.4f} | {middle:.4f} | {spent / heard:.4f}"
            print(f"| {path.name} | {folder.name} | {len(clips)} | {told} |", flush=True)
            missed |= min(cosines) < LEAST or spent / heard >= MOST
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
