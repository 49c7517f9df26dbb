"""Do voices say what they are to say? Whisper writes down what bundles of a voice read aloud.

    python tests/peers/compare_voices.py WHISPER_BUNDLE VOICE_BUNDLE... [--seeds 1] [--show]

Forty sentences of the evidence, each read once for every seed; the error is that of words, as Whisper's own bars count
it. The first bundle of a voice is the one that others are compared with. A fair comparison has the same seeds, so that
all bundles read in the same manner.
"""

from __future__ import annotations

import argparse
from typing import Any

import edgekit
from edgekit.bench import metrics
from edgekit.tasks.evidence.spoken import spoken_sentences


def heard(whisper: Any, voice: Any, seeds: int) -> list[tuple[str, str]]:
    """(sentence, what was heard), for each seed."""
    pairs = []
    for seed in range(seeds):
        for text, phonemes in (*spoken_sentences("first"), *spoken_sentences("second")):
            made = voice.predict(f"[[ {phonemes} ]]", seed=seed)
            sound = made.score, made.details["sample_rate"]
            pairs.append((text, str(whisper.predict(sound, language="en").output).strip()))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("whisper")
    parser.add_argument("voices", nargs="+")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="what was heard, where it is not what was said")
    arguments = parser.parse_args()
    whisper = edgekit.load(arguments.whisper)
    for bundle in arguments.voices:
        pairs = heard(whisper, edgekit.load(bundle), arguments.seeds)
        counted = metrics.wer([text for _, text in pairs], [text for text, _ in pairs])
        errors, words = (sum(numbers) for numbers in zip(*counted, strict=True))
        print(f"{bundle}: {errors:g} of {words:g} words wrong, {errors / words:.2%}, {len(pairs)} sentences")
        if arguments.show:
            for (said, text), (wrong, _) in zip(pairs, counted, strict=True):
                if wrong:
                    print(f"    said   {said}\n    heard  {text}")


if __name__ == "__main__":
    main()
