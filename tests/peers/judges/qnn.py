"""Ask Qualcomm's simulator of its neural processor (HTP): what it places of a graph, how far it is from the CPU, and
where it is first wrong. Its float is half precision: 40 to 60 dB are its arithmetic, 8 dB are another network.

The simulator is asked as the runtime `qnn` asks it, about files that were made for processors. A question may name
another chip.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path

from asked import Question, distance, of_one_shape, questions, tell

from edgekit.errors import EdgekitError
from edgekit.registry import find
from edgekit.runtimes.qnn import PACKAGE, bisection, lowering
from edgekit.runtimes.qnn.runner import simulator

FAR = 0.1  # The distance, 20 dB, beyond which the first wrong layer is looked for.


def ask(question: Question, file: Path) -> None:
    """What the simulator says of a question; `file` is for its graph."""
    feeds, board = question.inputs[0], find("targets", "android").boards[question.facts.get("chip", "SM8650").lower()]
    place = lowering.place_graph(question.file, feeds, board, file)
    if not place.share:
        raise ValueError("no layer is placed: all would run on the CPU")
    words = {"do": "run", "file": str(file), "unit": board.unit, "whole": False}
    outputs = [simulator().ask(words, call)[1] for call in question.inputs]
    shares = ((place.multiplications, "multiplications"), (place.weights, "weights"))
    told = [f"{share:.1%} of the {what}" for share, what in shares if share is not None]
    told.append(f"pieces: {place.pieces}")
    if distance(outputs, question.here) > FAR:
        wrong = bisection.find_wrong_layer(question.file, feeds, board.unit)
        told.append(f"first wrong: {wrong or 'no prefix of the graph is wrong by itself'}")
    if question.facts["precision"] == "fp32":  # the processor's float is fp16
        question = question._replace(facts={**question.facts, "precision": "fp16"})
    tell(question, version(PACKAGE), outputs, placed=", ".join(told))


def main() -> None:
    for question in map(of_one_shape, questions()):
        try:
            with tempfile.TemporaryDirectory() as made:
                ask(question, Path(made) / "graph.onnx")
        except (EdgekitError, ValueError, RuntimeError) as exc:
            tell(question, version(PACKAGE), reason=f"{type(exc).__name__}: {exc}".splitlines()[0][:240])


if __name__ == "__main__":
    main()
