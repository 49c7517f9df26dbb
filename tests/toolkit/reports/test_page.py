"""The page of a report without a browser: honest, harmless, light, and readable in both themes."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations

import pytest
from helpers.pages.html_reports import HOSTILE, cell, crowded, firmware, make, matrix
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.common.drawing import Box, breadth, place_labels
from edgekit.core import Measurement, Report
from edgekit.errors import BadInput
from edgekit.reports.cells import Cell
from edgekit.reports.page import document, style
from edgekit.reports.page.axis import cut, fit_axis

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Tags(HTMLParser):
    """Which elements and attributes a browser would see, and whether every element is closed in turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.headings: list[int] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def failed(**changes: object) -> Cell:
    facts = {"model": "tiny", "target": "laptop", "runtime": "onnxruntime", "precision": "int4", "threads": 1}
    return Cell(**(facts | {"device": "host", "outcome": "hung", "reason": "it took too long"} | changes))  # type: ignore[arg-type]


def hostile() -> Report:
    gate = dict.fromkeys(("verdict", "reason", "metric", "data", "samples"), HOSTILE) | {"value": 0.5}
    return make(
        bundle={"name": HOSTILE, "model": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE]}, "verdict": HOSTILE, "gate": gate},
        host={"cpu": HOSTILE, "run": {HOSTILE: [HOSTILE]}},
        versions={HOSTILE: HOSTILE},
        inputs=[{HOSTILE: HOSTILE}],
        outputs=[HOSTILE],
        warnings=(HOSTILE,),
        measurements=(
            Measurement(HOSTILE + "latency", "s", ((1.0, 2.0),)),
            Measurement(HOSTILE, HOSTILE, ((1.0, 2.0),)),
            Measurement(HOSTILE + "size", "B", ((1.0,),)),
        ),
        layers=({"name": HOSTILE, "instructions": [3]},),
        estimates=({"name": HOSTILE, "unit": HOSTILE, "low": 1, "high": 2, "basis": HOSTILE},),
    )


def test_a_hostile_report_adds_no_element_and_no_attribute() -> None:
    tame, wild = (Tags(document.render([report, firmware(), report], [failed()])) for report in (make(), hostile()))
    page = document.render([hostile(), replace(hostile(), threads=2)], [failed(model=HOSTILE, reason=HOSTILE)])
    found = Tags(page)
    assert found.names <= tame.names | wild.names
    assert not {name for name in found.attributes if name.startswith("on") or name in ("style", "src")}
    assert not found.names & {"img", "iframe", "object", "form", "base", "link"}
    assert page.count("<script") == 1
    assert "\x1b" not in page and "\N{RIGHT-TO-LEFT OVERRIDE}" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_policy_names_what_is_there_and_nothing_else() -> None:
    page = document.render([make()])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for name in ("style", "script"):
        (content,) = re.findall(f"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert not re.search(r"https?:|\burl\(|@import|<link|src=|innerHTML|eval\(", page)


def test_ids_are_unique_headings_in_order_and_the_page_always_the_same() -> None:
    reports = [make(), firmware(), *matrix(models=1)[:4]]
    page = document.render(reports, [failed()])
    found = Tags(page)
    assert len(found.ids) == len(set(found.ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(found.ids)
    assert found.headings[0] == 1 and found.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(found.headings, found.headings[1:], strict=False))
    assert page == document.render(reports, [failed()])
    assert page.count("<caption>") == page.count("<table>")
    assert page.count("<figure") == page.count("<details><summary>As a table") == page.count("<desc")


def test_warnings_and_failures_come_first_and_nothing_is_left_out() -> None:
    page = document.render([make()], [failed()])
    body = page[page.index("<main") :]
    assert 0 < body.index("1 cell was not measured") < body.index("THE MACHINE WAS BUSY") < body.index("Overview")
    for words in ("hung", "it took too long", "load.cold", "not measured", "a.wav", "hello", "not readable"):
        assert words in body
    assert "nothing measured" in document.render([], [failed()])
    with pytest.raises(BadInput):
        document.render([])


def test_no_column_mixes_fidelities() -> None:
    page = document.render([make(), firmware(), make(threads=2)])
    tables = re.findall(r"<table><caption>Cells: .*?</table>", page)
    assert len(tables) == 2
    assert [table.count("<svg") for table in tables] == [2, 0], "bars stand side by side, or not at all"
    assert ["#cell-2" in table for table in tables] == [False, True]


def test_cells_of_one_model_and_target_are_compared_with_the_first() -> None:
    page = document.render([make(), make(versions={"runtime": "2.0"})])
    assert "Against fake-model" in page and "cannot tell" in page
    assert "not comparable" in document.render([make(), make(threads=2)])
    assert "Against" not in document.render([make(), firmware()])


def test_what_was_not_measured_is_on_no_frontier_and_says_so() -> None:
    page = document.render(matrix(models=1))
    (plot,) = re.findall(r"<figure[^>]*><figcaption>accuracy against end_to_end.*?</figure>", page)
    assert "accuracy: not measured" in plot
    rows = re.findall(r"<tr>(.*?)</tr>", plot)
    assert all("<td>no</td>" in row for row in rows if "fp32" in row)
    leads = [row for row in rows if "<td>yes</td>" in row]
    assert leads and all("4 threads" in row for row in leads)  # the slower of two equals is beaten
    assert 'class="r"' in plot


def test_layers_and_estimates_are_shown_apart_from_what_was_measured() -> None:
    page = document.render([firmware()])
    assert "CONV_2D 0 &lt;3x3&gt;" in page and "32.4%" in page
    assert page.index("Measured: ") < page.index("Estimated, not measured")
    assert "30 ms" in page and "rss.peak" not in page
    (layers,) = re.findall(r"<table><caption>Layers: .*?</table>", page)
    widths = [float(width) for width in re.findall(r'"M0 0H([0-9.]+)V8H0z"', layers)]
    assert max(widths) == widths[2] == 100.0 and widths[1] == widths[3] == pytest.approx(
        100 * 146_716 / 432_606, abs=0.1
    )


number = st.floats(min_value=0.0, allow_nan=False, allow_infinity=False)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(number, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3).map(tuple), st.data())
def test_whatever_a_report_may_hold_is_drawn_inside_the_figure(
    groups: tuple[tuple[float, ...], ...], data: st.DataObject
) -> None:
    unit = data.draw(st.sampled_from(["s", "B", "instructions", "1"]))
    item = Measurement("end_to_end.latency", unit, groups, groups)
    junk = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.none(), max_size=1)
    )
    gate = data.draw(st.dictionaries(st.sampled_from(["verdict", "metric", "value", "drop", "low", "samples"]), junk))
    report = make(bundle={"size": data.draw(junk), "model": data.draw(junk), "gate": gate}, measurements=(item,))
    page = document.render([report, replace(report, threads=2)])
    Tags(page)
    for place in re.findall(r' (?:cx|cy|x|y)="([^"]*)"', page):
        assert -1.0 <= float(place) <= 400.0
    for end in re.findall(r'="M[0-9.]+ [04]H([^V"]*)', page):
        assert 0.0 <= float(end) <= 100.0


def test_axes_hold_their_values_and_say_round_numbers() -> None:
    axis = fit_axis([0.012, 0.031], 0.0, 100.0)
    assert 0.0 < axis.at(0.012) < axis.at(0.031) < 100.0
    assert axis.ticks() == pytest.approx([0.015, 0.02, 0.025, 0.03], rel=1e-9) or len(axis.ticks()) <= 5
    wide = fit_axis([1e-3, 1.0], 0.0, 100.0)
    assert wide.log and wide.ticks() == pytest.approx([1e-3, 1e-2, 1e-1, 1.0])
    assert cut("a long name", breadth("a long")) == "a lo…"


def test_labels_meet_neither_labels_nor_the_edge() -> None:
    points = [(60.0 + 37.0 * at % 200, 30.0 + 53.0 * at % 150) for at in range(14)]
    room = Box(50.0, 0.0, 350.0, 200.0)
    found = [label.box for label in place_labels(points, ["some name"] * 14, 14, room) if label]
    assert len(found) >= 12
    assert all(room.holds(box) for box in found)
    assert not any(one.meets(other) for one, other in combinations(found, 2))
    assert place_labels(points, ["a"] * 14, 2, room)[2:] == [None] * 12


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio" and "relative luminance"."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_contrast_is_enough_on_every_ground(theme: int) -> None:
    colour = {name: pair[theme] for name, pair in style.PALETTE.items()}
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    for ground in style.GROUNDS:
        for name in style.WORDS:
            assert contrast(colour[name], colour[ground]) >= 4.5, (name, ground)
        for name in style.MARKS:
            assert contrast(colour[name], colour[ground]) >= 3.0, (name, ground)


def test_a_cell_alone_has_its_figures() -> None:
    page = document.render([cell("wake-word", "int8", 1, random.Random(1))])
    titles = re.findall(r"<figcaption>(.*?)<small>", page)
    assert titles == ["end_to_end.latency", "part.a.latency", "part.b.latency"]
    (sizes,) = re.findall(r"<table><caption>Memory: .*?</table>", page)
    assert sizes.count("<svg") == 3 and "rss.anonymous" in sizes
    assert page.count("3 up to ") == 9  # the warm-ups, nearly twice as slow, in a lane of their own


def test_fifty_cells_of_long_runs_stay_light_and_name_what_they_leave_out() -> None:
    page = document.render([crowded(report) for report in matrix()])
    assert len(page.encode()) < 1_000_000
    assert page.count("Not drawn on a page of so many cells: part.b.latency, part.c.latency.") == 50
    assert "600 values in 10 processes" in page and "the first 3 processes are drawn" in page
    alone = document.render([crowded(matrix(1)[0])])
    assert "Not drawn" not in alone and "processes are drawn" not in alone


def test_what_the_machine_did_is_a_table_of_processes() -> None:
    page = document.render([crowded(make(), processes=3)])
    (table,) = re.findall(r"<table><caption>Processes: .*?</table>", page)
    assert "cores of others" in table and "<td>0.139</td>" in table and table.count("<tr>") == 4
    assert "temperature" not in table, "a column without a number is left out"


def test_rates_are_better_to_the_right() -> None:
    def speaks(precision: str, rate: float, size: int) -> Report:
        rates = Measurement("tg128", "tokens/s", ((rate, rate), (rate, rate)), better="higher")
        return make(bundle={"model": "writer", "precision": precision, "size": size}, measurements=(rates,))

    page = document.render([speaks("q4", 40.0, 400), speaks("q8", 20.0, 800), speaks("q2", 30.0, 200)])
    (plot,) = re.findall(r"<figure[^>]*><figcaption>size of the bundle against tg128.*?</figure>", page)
    assert "further right is better" in plot
    leads = [row for row in re.findall(r"<tr>(.*?)</tr>", plot) if "<td>yes</td>" in row]
    assert len(leads) == 2 and not any("q8" in row for row in leads)
