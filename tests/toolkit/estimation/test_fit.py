"""`fit`: answered from declarations, before anything is downloaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.core import Recipe, Target
from edgekit.errors import BadInput, OverBudget, UnknownName, Unsupported
from edgekit.estimation import budgets
from edgekit.registry import find


@pytest.fixture
def board(toy: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The toy's target with other facts."""

    def change(**facts: Any) -> Target:
        monkeypatch.setattr(toy_model, "TARGET", replace(toy_model.TARGET, **facts))
        return toy_model.TARGET

    return change


def test_it_fits_with_estimates(toy: Any) -> None:
    found = edgekit.fit("toy-speller", "toy-board")
    assert (found.verdict, found.size, found.ram, found.recipe) == ("fits", 33_000, 330_000, Recipe("toy", "int8"))


@pytest.mark.parametrize("budget", ["download", "flash", "ram"])
def test_over_a_budget_both_numbers_are_told(board: Any, budget: str) -> None:
    board(**{budget: 20_000})
    found = edgekit.fit("toy-speller", "toy-board")
    assert found.verdict == "too large"
    assert "20.0 kB" in found.reason or "20 kB" in found.reason
    assert ("330 kB" if budget == "ram" else "33 kB") in found.reason.replace(".0", "")
    assert found.nearest == ""


def test_exactly_at_the_budget_fits(board: Any) -> None:
    board(download=33_000, flash=33_000, ram=330_000)
    assert edgekit.fit("toy-speller", "toy-board").verdict == "fits"


def test_the_nearest_that_fits_is_the_largest_of_the_same_model_else_a_relative(board: Any) -> None:
    board(download=100_000, recipes={"*": Recipe("toy", "fp32")})
    assert edgekit.fit("toy-speller", "toy-board").nearest == "toy-speller --precision int8"
    board(download=50_000_000, ram=None, recipes={"*": Recipe("onnxruntime", "int8")})
    found = edgekit.fit("whisper-base", "toy-board")
    assert (found.verdict, found.nearest) == ("too large", "whisper-tiny --precision int8")


def test_export_refuses_before_any_download(board: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board(ram=10_000)

    def fetch(*args: object, **options: object) -> None:
        raise AssertionError("a download began")

    for name in ("fetch", "user_source", "read_checkpoint"):
        monkeypatch.setattr(f"edgekit.pipeline.resolving.{name}", fetch)
    with pytest.raises(OverBudget, match=r"will not fit toy-board: RAM 330 kB of 10 kB") as caught:
        edgekit.export("toy-speller", "toy-board", out=tmp_path / "b")
    assert "No recipe or relative" in caught.value.hint
    assert not (tmp_path / "b").exists()
    with pytest.raises(OverBudget, match="whisper-small"):
        edgekit.export("whisper-small", "toy-board", runtime="onnxruntime", out=tmp_path / "b")


def test_a_finished_bundle_that_is_too_large_is_refused(board: Any, toy: Any, tmp_path: Path) -> None:
    before = toy.export(tmp_path / "b", precision="fp32")
    board(download=40_000)
    with pytest.raises(OverBudget, match=r"the bundle has .* kB, toy-board takes 40 kB"):
        toy.export(tmp_path / "b", precision="int8")
    assert edgekit.verify(before.path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_check_size(board: Any) -> None:
    budgets.check_size(board(download=None, flash=None), 10**12)
    budgets.check_size(board(download=100), 100)
    with pytest.raises(OverBudget):
        budgets.check_size(board(download=100), 101)


def test_a_download_that_comes_another_way_has_the_users_budget(board: Any, toy: Any, tmp_path: Path) -> None:
    board(download=10_000, store="A store delivers 10 kB; --download lifts that")
    with pytest.raises(OverBudget) as refused:
        toy.export(tmp_path / "b")
    assert "--download lifts that." in refused.value.hint
    assert toy.export(tmp_path / "b", download=1_000_000).manifest.model
    assert edgekit.fit("toy-speller", "toy-board", download=1_000_000).budgets["download"] == 1_000_000
    with pytest.raises(BadInput, match="download budget of 0 bytes"):
        edgekit.fit("toy-speller", "toy-board", download=0)
    with pytest.raises(BadInput, match="no budget for downloads"):
        edgekit.fit("toy-speller", "cortex-m4", download=1)


def test_a_target_that_refuses_the_task(board: Any, toy: Any, tmp_path: Path) -> None:
    board(refuses={"audio-classification": "a toy board is deaf."})
    found = edgekit.fit("toy-speller", "toy-board")
    assert (found.verdict, found.reason, found.recipe) == ("refused", "a toy board is deaf.", None)
    with pytest.raises(Unsupported, match="a toy board is deaf"):
        toy.export(tmp_path / "b")


def test_a_target_without_a_recipe_for_the_task(board: Any) -> None:
    board(recipes={"text-generation": Recipe("toy", "int8")})
    with pytest.raises(Unsupported, match="no recipe for audio-classification") as caught:
        edgekit.fit("toy-speller", "toy-board")
    assert "text-generation" in caught.value.hint


def test_an_exporter_that_cannot_take_the_model() -> None:
    """Those that the target runs are named: okay-nabu also becomes C, which is nothing for a phone."""
    with pytest.raises(Unsupported, match="executorch exporter cannot take the network of okay-nabu") as caught:
        edgekit.fit("okay-nabu", "android", runtime="executorch")
    assert caught.value.hint == "For android choose --runtime litert."


def test_a_recipe_of_the_task_goes_before_the_general_one(board: Any) -> None:
    board(recipes={"*": Recipe("onnxruntime", "int8"), "audio-classification": Recipe("toy", "int4")})
    assert edgekit.fit("toy-speller", "toy-board").recipe == Recipe("toy", "int4")
    assert edgekit.fit("toy-speller", "toy-board", runtime="onnxruntime").recipe == Recipe("onnxruntime", "int8")
    assert edgekit.fit("toy-speller", "toy-board", precision="fp32").recipe == Recipe("toy", "fp32")


def test_naming_the_exporter_that_would_be_taken_anyway_keeps_the_precision() -> None:
    assert edgekit.fit("okay-nabu", "laptop").recipe == Recipe("litert", "int8")  # its network is a ready int8 one
    assert edgekit.fit("okay-nabu", "laptop", runtime="litert").recipe == Recipe("litert", "int8")


@pytest.mark.parametrize("name", ["okay-nabu", "alexa", "hey-jarvis", "hey-mycroft"])
@pytest.mark.parametrize("target", ["laptop", "android", "ios"])
def test_a_ready_int8_network_stays_int8_on_every_target(name: str, target: str) -> None:
    """The default of ios is Core ML in fp16, which nothing can make of it; LiteRT runs there, too."""
    fit = edgekit.fit(name, target)
    assert (fit.verdict, fit.recipe) == ("fits", Recipe("litert", "int8"))


def test_an_unknown_precision_lists_what_there_is(toy: Any) -> None:
    with pytest.raises(Unsupported, match="no precision 'int3'") as caught:
        edgekit.fit("toy-speller", "toy-board", precision="int3")
    assert "fp32, int8, int4" in caught.value.hint


@pytest.mark.parametrize(
    "arguments, near",
    [
        (("wisper-base", "laptop"), "whisper-base"),
        (("WHISPER_BAES", "laptop"), "whisper-base"),
        (("whisper-base", "andriod"), "android"),
        (("whisper-base", "android", None, "onnxruntim"), "onnxruntime"),
        (("toy-spelle", "laptop"), "toy-speller"),
    ],
)
def test_did_you_mean(toy: Any, arguments: tuple[str, ...], near: str) -> None:
    with pytest.raises(UnknownName) as caught:
        edgekit.fit(*arguments)
    assert near in caught.value.hint and "Did you mean" in caught.value.hint
    with pytest.raises(UnknownName):
        edgekit.export(arguments[0], arguments[1], runtime=arguments[3] if len(arguments) > 3 else None)


@pytest.mark.parametrize("name", ["", "qqqq", "os", "_whisper", "a b\n"])
def test_a_name_unlike_any_lists_all(toy: Any, name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        edgekit.fit(name, "laptop")
    assert "whisper-base" in caught.value.hint


def test_a_path_that_is_not_there_says_what_is_read() -> None:
    with pytest.raises(UnknownName, match="no file, folder or address") as caught:
        edgekit.fit("../../etc/passwd", "laptop")
    assert "model.onnx" in caught.value.hint


def test_other_packages_names_are_found_however_they_are_written(toy: Any) -> None:
    # Its entry point is called Toy_Speller.
    assert {find("models", name).name for name in ("toy-speller", "Toy_Speller", "TOY-speller")} == {"toy-speller"}


def test_another_package_that_does_not_load_costs_only_itself(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = "[edgekit.models]\nbroken = absent_module:MODEL\nbroken-too = helpers.toys.toy_model:NOTHING\n"
    monkeypatch.syspath_prepend(str(toy_model.install(tmp_path / "site", points)))
    for name in ("broken", "broken-too"):
        with pytest.raises(Unsupported, match=rf"the model '{name}' of toy 1\.0 cannot be loaded"):
            find("models", name)
    assert edgekit.fit("whisper-base", "laptop").verdict == "fits"


def test_a_target_that_cannot_run_what_an_exporter_makes(board: Any, toy: Any, tmp_path: Path) -> None:
    board(runtimes={"litert": "a runtime"}, recipes={"*": Recipe("onnxruntime", "int8")})
    found = edgekit.fit("toy-speller", "toy-board")
    assert (found.verdict, found.recipe) == ("refused", None)
    assert found.reason == "there is no onnxruntime there"
    with pytest.raises(Unsupported, match="there is no onnxruntime there") as caught:
        toy.export(tmp_path / "b")
    assert caught.value.hint == "It takes: litert."
    assert edgekit.fit("toy-speller", "toy-board", runtime="toy").verdict == "fits"  # another package's, who knows


def test_what_a_board_compiles_ahead_is_in_the_size() -> None:
    plain, compiled = (edgekit.fit("efficientnet-lite0", "android", "int8", board=board) for board in (None, "sm8650"))
    assert plain.size and compiled.size and compiled.recipe and compiled.recipe.runtime == "qnn"
    # efficientnet-lite0 in int8 for sm8650: 4.77 MB of graph, 5.63 MB of context binary.
    assert compiled.size == pytest.approx(4_768_976 + 5_632_000, rel=0.15)
