"""Every task of the registry is whole: its samples, its judge, its metric, its predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.toys import toy_model

from edgekit.bench import metrics
from edgekit.core import Model, Task
from edgekit.errors import BadInput, UnknownName, Unsupported
from edgekit.gate.judges import AnswerJudge, ProbabilityJudge, judge_of
from edgekit.registry import find, names
from edgekit.tasks.resolved import predictor_of, samples_of, task_of

TASKS = names("tasks")


def models_of(task: str) -> list[Model]:
    return [model for name in names("models") if (model := find("models", name)).task.name == task]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_whole(name: str) -> None:
    task: Task = find("tasks", name)
    assert task.name == name
    # A task without a declared model is for imported ones, which have no predictor of their own.
    assert task.predictor or (models_of(name) and all(model.task.predictor for model in models_of(name)))
    if task.judge == "answers":
        assert task.agreement is not None, "its answers are not compared with the reference's"
        assert not task.metric or metrics.find(task.metric)


@pytest.mark.parametrize("name", TASKS)
def test_a_folder_without_samples_is_refused(name: str, tmp_path: Path) -> None:
    task: Task = find("tasks", name)
    with pytest.raises(BadInput):
        task.samples(tmp_path, ("yes", "no"))


@pytest.mark.parametrize("name", names("models"))
def test_the_bar_of_a_model_is_in_the_metric_of_its_task_or_its_own(name: str) -> None:
    model: Model = find("models", name)
    task = task_of(model)
    judge = judge_of(model)
    assert isinstance(judge, ProbabilityJudge if task.judge == "probabilities" else AnswerJudge)
    if model.task.evaluation is not None and task.judge == "probabilities":
        assert model.task.evaluation.metric == task.metric


def test_what_a_model_states_itself_wins(tmp_path: Path) -> None:
    assert samples_of(toy_model.changed(samples=lambda folder: [folder]), tmp_path) == [tmp_path]
    lonely = toy_model.changed(predictor=None)
    lonely = replace(lonely, task=replace(lonely.task, name="audio-speaker-verification"))
    with pytest.raises(Unsupported, match="toy-speller declares no predictor, and its task 'audio-speaker"):
        predictor_of(lonely, {}, tmp_path, {})
    with pytest.raises(UnknownName, match="bird-naming"):
        task_of(toy_model.changed(name="bird-naming"))


def test_data_is_a_folder_or_a_file_where_the_judge_reads_files(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("words")
    assert ProbabilityJudge().folder(text, "data") == text
    with pytest.raises(BadInput, match="there is no folder"):
        AnswerJudge().folder(text, "data")
