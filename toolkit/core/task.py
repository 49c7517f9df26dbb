"""The type of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.core.running import Predictor, Runner
from edgekit.core.values import Sample

__all__ = ["Task"]


@dataclass(frozen=True)
class Task:
    """The purpose of a model: the kind of sample, and how answers are judged. A file or package below `toolkit/tasks/`
    declares it as ``TASK``; a model names it and states what differs (`edgekit.core.Usage`).

    Attributes:
        name: a Hugging Face pipeline tag, also the registry name.
        sample: the kind of sample, for help texts and READMEs.
        judge: how answers are judged (`edgekit.gate.judges`): ``"answers"``, each compared with a truth, or
            ``"probabilities"``, those that a language model gives to a text.
        samples: (data folder, labels) -> labelled samples; raises BadInput for a folder of another layout (see
            docs/data.md).
        predictor: (parts by name, bundle folder, facts) -> Predictor; None if each model has its own.
        metric: name of the usual metric, see `edgekit.bench.metrics`.
        rate: what a benchmark times: ``"calls"`` of a predictor, or ``"tokens"``, read and generated, by
            llama-bench's method.
    """

    name: str
    sample: Literal["sound", "picture", "text"]
    judge: Literal["answers", "probabilities"]
    samples: Callable[[Path, Sequence[str]], Sequence[Sample]]
    predictor: Callable[[Mapping[str, Runner], Path, Mapping[str, Any]], Predictor] | None = None
    metric: str = ""
    rate: Literal["calls", "tokens"] = "calls"
