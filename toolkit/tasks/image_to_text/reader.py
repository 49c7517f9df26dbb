"""The pipeline from a picture to its text: detect lines, cut them out, turn them, read them, put them in order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.common.drawing import Canvas, picture_of
from edgekit.tasks.common.vision.placing import place_sample
from edgekit.tasks.image_to_text.cutting import cut, pad_to_width, pieces
from edgekit.tasks.image_to_text.regions import LineRules, lines

#: Lines stand side by side if their middles differ by less than this share of their height.
_BESIDE = 0.5
#: Into which a picture is cut for parity.
_STRIPS = 4


class Text(TypedDict):
    """A line: its letters, their mean probability, and its corners [[x, y], ..] in pixels, from where it begins."""

    text: str
    score: float
    corners: list[list[float]]


def letters(logits: NDArray[np.float32], characters: Sequence[str]) -> tuple[str, list[float]]:
    """The text of a network's steps, and the probability of each letter: the best class of each step, of equal ones in
    a row the first, without blanks (class 0). Graves et al. 2006, "Connectionist Temporal Classification", section 3.2.

    Args:
        logits: float32 [steps, 1 + len(characters)].
    """
    best = logits.argmax(1).tolist()
    kept = [step for step, at in enumerate(best) if at and (not step or best[step - 1] != at)]
    odds = 1.0 / np.exp(logits - logits.max(1, keepdims=True)).sum(1)  # of the best class
    return "".join(characters[best[step] - 1] for step in kept), [float(odds[step]) for step in kept]


class TextReader(Predictor):
    """From a picture to its text.

    Parts: ``detector``: ``pixels`` uint8 [1, side, side, 3] -> ``chances`` float32 [1, side, side] of being text;
    ``turn``: ``line`` uint8 [1, height, width, 3] -> ``probabilities`` float32 [1, 2] (upright, upside down);
    ``recogniser``: ``line`` of another width -> ``logits`` float32 [1, steps, classes], class 0 for no letter.

    `facts`: ``side``; ``lines`` (see `regions.lines`); ``height`` of a line; ``width`` of the recogniser's input and
    ``turn_width``; ``turned``, the least probability of a line upside down; ``least``, mean probability of a line's
    letters; ``characters``, one string for each class from 1 on.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._parts, self._facts = parts, facts
        self._characters = fact_of(facts, "characters", list[str])

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The text of a picture, a line of it a line, from above; and in the detail ``texts`` each as a `Text`.

        Args:
            sample: a file, or an array uint8 [height, width, 3] of any size. options: ``least``: see `facts`.

        Raises:
            BadInput: it cannot be used, or an option is unknown or no number from 0 to 1.
        """
        check_names(options, ("least",))
        progress, least = options.get("progress"), options.get("least", fact_of(self._facts, "least", float))
        if isinstance(least, bool) or not isinstance(least, (int, float)) or not 0 <= least <= 1:
            raise BadInput(f"least is a probability from 0 to 1, not {least!r}.")
        side = fact_of(self._facts, "side", int)
        whole = place_sample(sample, {"letterbox": True}, side, side)
        image = picture_of(sample)
        chances = self._parts["detector"]({"pixels": whole.pixels[None]})["chances"][0]
        detected = lines(chances, **fact_of(self._facts, "lines", LineRules))
        texts = []
        for number, line in enumerate(detected):
            # A pixel of the map stands for its middle.
            read = self._read(image, whole.back((line.corners + 0.5) / side))
            if read["text"].strip() and read["score"] >= least:
                texts.append(read)
            if progress:
                progress(number + 1, len(detected))
        texts = _in_order(texts)
        shown = [f"{text['score']:.3f}  {text['text']}" for text in texts] or ["no text"]
        details = {"texts": texts, "lines": shown, "notes": list(whole.notes)}
        return Prediction("\n".join(text["text"] for text in texts), details, {"images": 1.0})

    def probe(self, sample: Any) -> Prediction:
        """What stands in four strips of a picture, in place of the lines that are detected: where a line is cut moves
        with the last digits of the map, and with the cut everything that is read of it."""
        side, image = fact_of(self._facts, "side", int), picture_of(sample)
        self._parts["detector"]({"pixels": place_sample(sample, {"letterbox": True}, side, side).pixels[None]})
        tops = np.linspace(0, image.height, _STRIPS + 1)
        strips = [
            np.array([[0, top], [image.width, top], [image.width, bottom], [0, bottom]])
            for top, bottom in itertools.pairwise(tops)
        ]
        return Prediction("\n".join(self._read(image, strip)["text"] for strip in strips), {}, {"images": 1.0})

    def _read(self, image: Any, corners: NDArray[np.float64]) -> Text:
        """The text in a rectangle of a picture."""
        facts, line = self._facts, cut(image, corners)
        height = fact_of(facts, "height", int)
        upright = corners if line.width >= line.height or len(corners) < 4 else np.roll(corners, -1, axis=0)
        whole = pieces(line, height, line.width * height)[0]
        odds = self._parts["turn"]({"line": pad_to_width(whole, fact_of(facts, "turn_width", int))})
        if float(odds["probabilities"][0, 1]) > fact_of(facts, "turned", float):
            line, upright = line.rotate(180, expand=True), np.roll(upright, 2, axis=0)
        text, sure = "", list[float]()
        for piece in pieces(line, height, fact_of(facts, "width", int)):
            made = self._parts["recogniser"]({"line": pad_to_width(piece, fact_of(facts, "width", int))})["logits"][0]
            more, odds_of = letters(made, self._characters)
            text, sure = text + more, sure + odds_of
        score = sum(sure) / len(sure) if sure else 0.0
        return {"text": text, "score": score, "corners": upright.tolist()}


def _in_order(texts: list[Text]) -> list[Text]:
    """From above, and of those that stand side by side from the left."""

    def span(text: Text) -> tuple[float, float, float]:
        xs, ys = ([corner[axis] for corner in text["corners"]] for axis in (0, 1))
        return min(xs), (min(ys) + max(ys)) / 2, max(ys) - min(ys)

    rows: list[list[Text]] = []
    for text in sorted(texts, key=lambda text: span(text)[1]):
        _, middle, high = span(text)
        if rows and middle - span(rows[-1][0])[1] < _BESIDE * min(high, span(rows[-1][0])[2]):
            rows[-1].append(text)
        else:
            rows.append([text])
    return [text for row in rows for text in sorted(row, key=lambda text: span(text)[0])]


def draw_prediction(sample: Any, prediction: Prediction) -> Any:
    """The picture with a rectangle around each line, numbered, and below it what each says: a PIL image."""
    canvas = Canvas(picture_of(sample))
    texts = prediction.details["texts"]
    for number, text in enumerate(texts):
        canvas.polygon(text["corners"], str(number + 1), number)
    canvas.caption([f"{number + 1}  {text['text']}" for number, text in enumerate(texts)] or ["no text"])
    return canvas.image
