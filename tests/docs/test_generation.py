"""The pages that are made from the code and from measurements, and the style that all pages keep to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.toys import toy_program

import edgekit
from edgekit.registry import find, names

SITE = Path(__file__).parents[2] / "docs" / "site"


@pytest.fixture(scope="module")
def site() -> SimpleNamespace:
    """The generators, which are scripts and no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SITE)
        import code_key
        import command_pages
        import figure_pages
        import measured
        import model_pages
        import prose
        import task_pages

        return SimpleNamespace(
            code=code_key,
            commands=command_pages,
            figures=figure_pages,
            measured=measured,
            models=model_pages,
            prose=prose,
            tasks=task_pages,
        )


@pytest.fixture(scope="module")
def rows(site: SimpleNamespace) -> Sequence[Any]:
    measured: Sequence[Any] = site.measured.rows()
    return measured


def test_measured_rows_are_of_models_and_targets_that_exist(rows: Sequence[Any]) -> None:
    assert {row.model for row in rows} <= set(names("models"))
    assert {row.target for row in rows} <= set(names("targets"))
    assert all(row.size and row.fidelity != "estimated" for row in rows)


def test_every_model_has_a_page_that_names_every_target(site: SimpleNamespace, rows: Sequence[Any]) -> None:
    for name in names("models"):
        mine = [row for row in rows if row.model == name]
        page = site.models.page(name, mine)
        assert page.startswith(f"# {name}\n")
        assert all(f"| {target} |" in page for target in names("targets")), name
        assert find("models", name).identity.licence in page
        assert ("were not measured" in page.split("## Results")[1]) == (not mine), name


def test_a_model_without_measurements_says_so(site: SimpleNamespace) -> None:
    results = site.models.page("ds-cnn-kws", []).split("## Results")[1].split("## Read on")[0]
    assert "were not measured" in results and "|" not in results


def test_figures_say_where_they_are_older_than_the_code(site: SimpleNamespace, rows: Sequence[Any]) -> None:
    row = replace(rows[0], code=site.measured.code_of(rows[0].model, rows[0].runtime))
    other = site.measured.code_of(rows[0].model, "openvino" if rows[0].runtime != "openvino" else "litert")
    assert row.current and site.models.OLDER not in site.models.page(row.model, [row])
    for code in ("", other):
        assert site.models.OLDER in site.models.page(row.model, [row, replace(row, code=code)])
    assert all(site.models.OLDER in site.models.page(row.model, [row]) for row in rows if not row.current)


_CODE = '''"""What it does."""

# why
def half(value: int) -> int:
    """Half of an even number."""
    if value % 2:
        raise ValueError(
            "odd"
        )
    return value // 2  # exact
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("What it does.", "What it does now.\n\nIn two paragraphs.", True),
        ("# why\n", "", True),
        ("  # exact", "\n", True),
        ('\n            "odd"\n        ', 'f"{value} is odd"', True),
        ("value // 2", "value // 3", False),
        ("value % 2", "value % 3", False),
    ],
)
def test_words_make_no_figure_older(old: str, new: str, same: bool, site: SimpleNamespace, tmp_path: Path) -> None:
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    for file, text in zip(files, (_CODE, _CODE.replace(old, new)), strict=True):
        file.write_text(text)
    assert _CODE.count(old) == 1
    assert (site.code.key(files[:1]) == site.code.key(files[1:])) == same


def test_size_and_answers_are_of_todays_code_where_it_makes_the_same_networks_and_times_are_not(
    site: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    toy_program.save(tmp_path / "toy.pt2")
    place = tmp_path / "ds-cnn-kws-laptop-onnxruntime-fp32"
    edgekit.export(str(tmp_path / "toy.pt2"), precision="fp32", out=place)
    kept = {"model": "ds-cnn-kws", "target": "laptop", "runtime": "onnxruntime", "precision": "fp32"}
    kept |= {"code": "old", "contents": site.measured.contents_of(place)}
    kept["confirmed"] = ""
    today = site.measured.code_of("ds-cnn-kws", "onnxruntime")
    assert site.measured.confirmed(kept, tmp_path) == {**kept, "confirmed": today}
    for change in ({"contents": "0" * 16}, {"contents": ""}, {"precision": "int8"}):
        assert site.measured.confirmed({**kept, **change}, tmp_path)["confirmed"] == ""


def test_a_row_of_the_same_networks_is_marked_as_such(site: SimpleNamespace, rows: Sequence[Any]) -> None:
    laptop = next(row for row in rows if row.target == "laptop" and row.date)
    row = replace(laptop, code="old", confirmed=site.measured.code_of(laptop.model, laptop.runtime))
    assert row.same and not row.current
    page = site.figures.page([row])
    assert f"| {row.date} † |" in page and "Speed and memory are of the day" in page
    one = site.models.page(row.model, [row])
    assert site.models.SAME in one and site.models.OLDER not in one


def test_no_time_is_of_code_that_did_not_run(rows: Sequence[Any]) -> None:
    """What was confirmed later keeps the code that it was measured with."""
    assert all(row.code != row.confirmed for row in rows if row.confirmed)


def test_the_page_of_figures_has_every_laptop_row_and_marks_the_older_ones(
    site: SimpleNamespace, rows: Sequence[Any]
) -> None:
    laptop = [row for row in rows if row.target == "laptop" and row.date]
    row = replace(laptop[0], code=site.measured.code_of(laptop[0].model, laptop[0].runtime))
    for given, marks in (([row], 0), ([row, replace(row, code="")], 1)):
        page = site.figures.page(given)
        assert page.count(f"| {row.date} * |") == marks and ("has changed since" in page) == bool(marks)
    whole = site.figures.page(rows)
    assert whole.count("](models/") == len(laptop) > 10
    assert all(command in whole for date, command in site.measured.commands() if date in {row.date for row in laptop})


def test_every_task_has_a_page_with_its_models(site: SimpleNamespace) -> None:
    for name in names("tasks"):
        page = site.tasks.page(name)
        members = [model for model in names("models") if find("models", model).task.name == name]
        assert all(f"[{model}](../models/{model}.md)" in page for model in members), name


def test_a_command_page_has_every_option(site: SimpleNamespace) -> None:
    for verb, command in site.commands.verbs().items():
        page = site.commands.page(verb, command)
        options = [option for action in command._actions for option in action.option_strings]
        assert all(f"`{option}" in page for option in options), verb


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("A short sentence. Another one.", ""),
        (f"{'word ' * 36}end.", "37 words in a sentence"),
        (f"`{'word ' * 36}end` is code.", ""),
        (f"| {'word ' * 36}end |", ""),
        ("It was 9.6 % then.", "history"),
        ("The figure is told.", "who reports what"),
        ("```\nthe figure is told\n```", ""),
    ],
)
def test_the_style(site: SimpleNamespace, tmp_path: Path, text: str, fault: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    faults = [fault for passage in site.prose.of_page(page) for fault in site.prose.style(passage)]
    assert [fault in it for it in faults] == ([True] if fault else [])


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (f'def public():\n    """{"word " * 36}end."""', "37 words in a sentence"),
        (f'def _private():\n    """{"word " * 36}end."""', ""),
        (f'def public():\n    """{"word " * 20}: {"word " * 20}."""', ""),
        (
            f'def public():\n    """Short.\n\n    Args:\n        a: {"word " * 20}\n        b: {"word " * 20}\n    """',
            "",
        ),
        ('raise BadInput("a robust file.")', "plain word"),
        ('raise BadInput(f"{name} is short.", hint=f"Simply take {other}.")', "leave it out"),
        ('print("a robust file.")', ""),
    ],
)
def test_the_style_of_docstrings_and_errors(site: SimpleNamespace, tmp_path: Path, code: str, fault: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(code)
    faults = [fault for passage in site.prose.of_code(file) for fault in site.prose.style(passage)]
    assert [fault in it for it in faults] == ([True] if fault else [])
