"""The options of `run`: which names there are, and what a flag says that a model has no use for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

from edgekit.bundles.bundle import open_bundle
from edgekit.cli.shown_bundle import next_commands
from edgekit.core.options import check_names, truth
from edgekit.errors import BadInput, UnknownOption
from edgekit.registry import find


@pytest.mark.parametrize(
    ("known", "hint"),
    [((), "There are none."), (("top",), "There is: top."), (("a", "b", "progress"), "There are: a, b.")],
)
def test_an_unknown_option_is_told_with_those_there_are(known: tuple[str, ...], hint: str) -> None:
    check_names(["progress", *known], known)
    with pytest.raises(UnknownOption, match="no option 'colour'") as caught:
        check_names(["colour", *known], known)
    assert caught.value.hint == hint and caught.value.name == "colour"


@pytest.mark.parametrize(("value", "wanted"), [("No", False), ("on", True), (True, True), (1, True), (0, False)])
def test_yes_and_no(value: object, wanted: bool) -> None:
    assert truth("loud", value) is wanted


@pytest.mark.parametrize("value", ["maybe", "", 2, 0.5, None])
def test_what_is_neither_yes_nor_no(value: object) -> None:
    with pytest.raises(BadInput, match="loud is yes or no") as caught:
        truth("loud", value)
    assert "yes, on, true, no, off, false" in caught.value.hint


@pytest.mark.parametrize("name", ["progress", "stream", "cancel", "rate", "sample", "self"])
def test_what_programs_give_is_no_option(do: Any, bundle: Path, signal: str, name: str) -> None:
    code, out, err = do("run", bundle, signal, "-o", f"{name}=1")
    assert (code, out) == (2, "") and f"there is no option '{name}'" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--out", "x.npz"], "this model writes no file.\n  Leave --out out."),
        (["--words"], "this model gives no times of words.\n  Leave --words out."),
        (["--schema", "x.json"], "this model keeps to no schema.\n  Leave --schema out."),
        (["--no-vad"], "this model looks for no speech.\n  Leave --no-vad out."),
        (["-o", "out=x.npz"], "there is no option 'out'.\n  There is: loud."),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_flag_that_a_model_has_no_use_for(do: Any, bundle: Path, signal: str, flags: list[str], why: str) -> None:
    code, _, err = do("run", bundle, signal, *flags)
    assert code == 2 and why in err


def test_proposed_commands_are_typed_as_a_shell_takes_them(
    do: Any, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "my bundle"
    _, out, _ = do(*toy.arguments(place))
    assert f"next: edgekit run '{place}' FILE, or edgekit bench '{place}'" in out
    _, _, err = do("run", place)
    assert f"edgekit run '{place}' INPUT" in err
    monkeypatch.setattr(type(find("runtimes", "toy")), "untimed", "it computes by other means")
    _, out, _ = do(*toy.arguments(place))
    assert f"or edgekit verify '{place}'" in out and "edgekit bench" not in out
    (tmp_path / "a b").mkdir()
    _, out, _ = do("init", tmp_path / "a b" / "mine.py")
    assert f"edgekit inspect '{tmp_path}/a b/mine.py'" in out


@pytest.mark.parametrize(
    ("task", "sample"),
    [("feature-extraction", '"TEXT"'), ("recommendation", "FILE"), ("image-classification", "FILE")],
)
def test_a_text_is_proposed_where_a_task_takes_one(bundle: Path, task: str, sample: str) -> None:
    toy_model.forge(bundle, lambda raw: raw["model"].update(task=task))
    assert next_commands(open_bundle(bundle)).startswith(f"edgekit run {bundle} {sample}, or edgekit bench ")
