"""Text generation: from a prompt to the text that follows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample, Task
from edgekit.errors import BadInput
from edgekit.formats.gguf.language import EVALUATION
from edgekit.tasks.evidence.texts import TEXTS
from edgekit.tasks.text_generation.questions import questions
from edgekit.tasks.text_generation.writer import Writer


def samples(folder: Path) -> Sequence[Sample]:
    """Every .txt below a folder, or the file itself: a text is its own truth, the next tokens. Or, likewise, the
    questions of .jsonl files.

    Raises:
        BadInput: neither texts nor questions, both, or a line that is no question.
    """
    asked = [folder] if folder.suffix == ".jsonl" else sorted(folder.rglob("*.jsonl"))
    texts = [folder] if folder.is_file() and not asked else sorted(folder.rglob("*.txt"))
    if asked and texts:
        raise BadInput(
            f"{folder} holds questions (.jsonl) and texts (.txt), which are judged in different ways.",
            hint="Give one of the two.",
        )
    if not asked and not texts:
        raise BadInput(
            f"{folder} holds neither .txt nor .jsonl.", hint="A text of some thousand words will do; see docs/data.md."
        )
    if asked:
        return [sample for path in asked for sample in questions(path)]
    return [Sample(str(path), str(path), path.name) for path in texts]


TASK = Task(
    "text-generation",
    "text",
    "probabilities",
    lambda folder, labels: samples(folder),
    Writer,
    metric="perplexity",
    rate="tokens",
    golden="data/golden/golden-prompt.txt",
    evaluation=EVALUATION,
    evidence=TEXTS,
)
