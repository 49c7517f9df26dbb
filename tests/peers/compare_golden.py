"""How many of 20 questions a language model's bundle answers as its reference does, greedily.

    python tests/peers/compare_golden.py REFERENCE BUNDLE...

REFERENCE and each BUNDLE are bundles of the same model (such as one exported with --precision f16). "first sentence":
questions whose first sentence is the reference's, letter by letter. A single other token changes all that follow, so
the second figure follows the reference: at how many tokens of its answers the bundle's likeliest token is the same.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

import edgekit

QUESTIONS = (
    *("What is the capital of France?", "Why is the sky blue?", "How many days are in a week?", "What do bees make?"),
    *("What is water made of?", "Who wrote Romeo and Juliet?", "What is the largest planet of the solar system?"),
    *("How do plants make their food?", "What is the opposite of hot?", "Name a colour of the rainbow."),
    *("What does a thermometer measure?", "In which season do leaves fall from the trees?", "What is two plus two?"),
    *("What is a noun?", "Where do penguins live?", "Translate 'good morning' into Spanish."),
    *("What is the freezing point of water in degrees Celsius?", "Write a Python function that adds two numbers."),
    *("What is the tallest animal in the world?", "Say hello to a new neighbour."),
)
_MOST = 48
_END = re.compile(r"(?<=[.!?])\s|\n")


def sentence(writer: Any, question: str) -> str:
    """The first sentence of the answer, or its first line."""
    said: list[str] = []
    stop = lambda: _END.search("".join(said).strip()) is not None  # noqa: E731
    text: str = writer.predict(question, most=_MOST, stream=said.append, cancel=stop).output
    return _END.split(text.strip())[0]


def likeliest(writer: Any, question: str, answer: str) -> Any:
    """The likeliest token at each token of `answer`, int [tokens]."""
    prompt, tokens = writer.prompt_tokens(question), writer.network.tokenize(answer, bos=False)
    logits = writer.network({"tokens": np.array([*prompt, *tokens], np.int32)})["logits"]
    return logits[len(prompt) - 1 : -1].argmax(axis=1)


def main(paths: list[str]) -> None:
    reference = edgekit.load(paths[0])
    sentences = [sentence(reference, question) for question in QUESTIONS]
    pairs = list(zip(QUESTIONS, sentences, strict=True))
    followed = np.concatenate([likeliest(reference, *pair) for pair in pairs])
    for path in paths[1:]:
        writer = edgekit.load(path)
        same = sum(sentence(writer, question) == said for question, said in pairs)
        tokens = (np.concatenate([likeliest(writer, *pair) for pair in pairs]) == followed).sum()
        shares = f"{tokens} of {len(followed)} tokens ({tokens / len(followed):.1%})"
        print(f"{Path(path).name}: first sentence {same} of {len(QUESTIONS)}, {shares}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
