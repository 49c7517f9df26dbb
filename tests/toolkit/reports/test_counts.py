"""What has no noise is compared exactly: counts of an emulator, bytes of files, accuracy, agreement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from edgekit.core import Measurement, Report
from edgekit.errors import BadInput
from edgekit.reports import cells
from edgekit.reports.comparing import reports
from edgekit.reports.comparing.junit import junit
from edgekit.reports.comparing.markdown import markdown
from edgekit.reports.comparing.matrices import compare_matrices, losses

GATE = {"verdict": "pass", "metric": "accuracy", "value": 0.9, "data": "photos", "samples": 500}
AGREEMENT = {"verdict": "pass", "same": 28, "of": 30, "samples": "photographs 12ab"}


def bytes_of(name: str, value: float) -> Measurement:
    return Measurement(name, "B", ((value,),))


FIRMWARE = (
    Measurement("network.instructions", "instructions", ((1000.0, 1010.0, 990.0),)),
    bytes_of("footprint.flash", 35728.0),
    bytes_of("footprint.ram", 8864.0),
    bytes_of("network.arena", 4096.0),
)


def firmware(changes: dict[str, float] | None = None, **facts: Any) -> Report:
    """A report of an emulator; `changes`: what is added to a measurement's last value."""
    changed = tuple(
        replace(item, values=((*item.values[0][:-1], item.values[0][-1] + (changes or {}).get(item.name, 0.0)),))
        for item in FIRMWARE
    )
    return Report(1, {"model": "m", "target": "cortex-m4", **facts}, "emulated", {"cpu": "q"}, {}, [], 1, changed)


def proven(gate: dict[str, Any] | None = None, agreement: dict[str, Any] | None = None) -> Report:
    facts = {"gate": {**GATE, **(gate or {})}, "agreement": {**AGREEMENT, **(agreement or {})}}
    return Report(
        1, {"model": "m", "target": "t", **facts}, "host", {"cpu": "a"}, {}, [], 1, (bytes_of("bundle.size", 9),)
    )


def worse(base: Report, new: Report, *texts: str) -> list[str]:
    rows = reports.compare_reports(base, new, max_regression=reports.parse_regression_limits(texts))
    return [row.name for row in rows if row.regressed]


@pytest.mark.parametrize("name", [item.name for item in FIRMWARE])
@pytest.mark.parametrize("texts", [(), ("0.03",)])
def test_one_byte_or_instruction_more_on_a_chip_is_a_regression(name: str, texts: tuple[str, ...]) -> None:
    assert worse(firmware(), firmware({name: 1.0}), *texts) == [name]
    assert worse(firmware({name: 1.0}), firmware(), *texts) == []


def test_equal_counts_are_equal_and_the_better_way_is_named() -> None:
    rows = reports.compare_reports(firmware(), firmware({"footprint.ram": -1.0, "network.instructions": -9.0}))
    assert [row.verdict for row in rows] == ["faster", "equal", "smaller", "equal"]
    assert all(row.exact and row.low is None for row in rows)


def test_a_pattern_allows_what_a_fraction_alone_does_not() -> None:
    larger = firmware({"footprint.flash": 300.0})
    assert worse(firmware(), larger, "0.5") == ["footprint.flash"]
    assert worse(firmware(), larger, "0.5", "flash=0.01") == []
    assert worse(firmware(), larger, "flash=0.005") == ["footprint.flash"]
    assert worse(firmware(), larger, "off") == worse(firmware(), larger, "footprint.*=off") == []


def test_bytes_of_files_are_counts_on_every_device_and_memory_of_a_process_is_not() -> None:
    names = ("part.network.size", "bundle.size", "rss.peak")
    base = replace(firmware(), fidelity="host", measurements=tuple(bytes_of(name, 1e6) for name in names))
    more = replace(base, measurements=tuple(bytes_of(name, 1e6 + 1) for name in names))
    rows = {row.name: row for row in reports.compare_reports(base, more)}
    assert [rows[name].verdict for name in names] == ["larger", "larger", "cannot tell"]
    # A bundle holds texts, whose bytes nobody counts one by one.
    assert [rows[name].regressed for name in names] == [True, False, False]
    double = replace(base, measurements=tuple(bytes_of(name, 2e6) for name in names))
    assert worse(base, double) == ["part.network.size", "bundle.size"]


def test_what_an_emulator_counts_differently_in_each_run_is_noise() -> None:
    item = Measurement("network.instructions", "instructions", ((10.0, 11.0), (11.0, 10.0)))
    base = replace(firmware(), measurements=(item,))
    assert not reports.compare_reports(base, base)[0].exact


@pytest.mark.parametrize(
    ("gate", "agreement", "names"),
    [
        ({}, {}, []),
        ({"value": 0.898}, {}, ["accuracy"]),
        ({"value": 0.902}, {}, []),
        ({}, {"same": 27}, ["agreement"]),
        ({}, {"same": 29}, []),
        ({"verdict": "not measured", "value": None, "metric": ""}, {}, ["accuracy"]),
        ({}, {"verdict": "not measured", "same": 0, "of": 0}, ["agreement"]),
        ({"verdict": "undecided"}, {}, []),
        ({}, {"verdict": "fail"}, ["agreement.verdict"]),
    ],
)
def test_what_was_proven_is_compared(gate: dict[str, Any], agreement: dict[str, Any], names: list[str]) -> None:
    assert worse(proven(), proven(gate, agreement)) == names


@pytest.mark.parametrize(
    ("metric", "base", "new", "regressed"),
    [
        ("wer", {"value": 0.10}, {"value": 0.11}, True),
        ("wer", {"value": 0.0}, {"value": 0.01}, True),
        ("perplexity", {"value": 20.0}, {"value": 21.0}, True),
        ("perplexity", {"value": 21.0}, {"value": 20.0}, False),
        # The metric of a user: the loss against fp32 says which way it counts.
        ("mine (m.py 1)", {"value": 5.0, "reference": 4.0, "drop": 1.0}, {"value": 6.0}, True),
        ("mine (m.py 1)", {"value": 5.0, "reference": 4.0, "drop": -1.0}, {"value": 6.0}, False),
        ("mine (m.py 1)", {"value": 5.0}, {"value": 6.0}, True),
    ],
)
def test_which_way_a_metric_counts(metric: str, base: dict[str, Any], new: dict[str, Any], regressed: bool) -> None:
    both = proven({"metric": metric, **base}), proven({"metric": metric, **new})
    assert worse(*both) == (["accuracy"] if regressed else [])


def test_a_verdict_that_is_no_longer_good_is_told() -> None:
    comparisons = compare_matrices(
        cells.of(proven()), cells.of(proven({"verdict": "undecided"}, {"verdict": "fail"})), max_regression=0.03
    )
    text = markdown(comparisons)
    assert "| accuracy.verdict | not measured | not measured | - | - | 🟡 pass to undecided |" in text
    assert losses(comparisons) == ["agreement.verdict (pass to fail)"]
    suite = ElementTree.fromstring(junit(comparisons))[0]
    assert suite.get("failures") == "1"


def test_proofs_of_other_samples_are_not_compared() -> None:
    for changed in (
        proven({"data": "others"}),
        proven({"samples": 499}),
        proven({"metric": "top-5"}),
        proven({}, {"of": 29}),
        proven({}, {"samples": "mine 34cd"}),
    ):
        with pytest.raises(BadInput, match="is of other samples"):
            reports.compare_reports(proven(), changed)
        rows = reports.compare_reports(proven(), changed, force=True)
        assert len([row for row in rows if row.name in ("accuracy", "agreement")]) == 1


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        ("latecny", "flash|ram|size|arena|instructions"),
        ("footprint.flsh", "footprint.flash"),
        ("instruction", "instructions"),
    ],
)
def test_a_pattern_that_matches_nothing_is_refused_with_the_nearest_name(pattern: str, near: str) -> None:
    limits = reports.parse_regression_limits([f"{pattern}=0.1"])
    with pytest.raises(BadInput, match=f"{pattern} matches no measurement") as caught:
        compare_matrices(cells.of(firmware()), cells.of(firmware()), max_regression=limits)
    assert any(name in caught.value.hint for name in near.split("|"))
    assert compare_matrices(
        cells.of(firmware()), cells.of(firmware()), max_regression=reports.parse_regression_limits(["flash=0.1"])
    )


def test_a_pattern_may_name_a_proof_or_a_measurement_of_one_side() -> None:
    limits = reports.parse_regression_limits(["accuracy=0.01", "agreement.verdict=off"])
    (found,) = compare_matrices(
        cells.of(proven()), cells.of(proven({"value": 0.895}, {"verdict": "fail"})), max_regression=limits
    )
    assert not [row for row in found.rows if row.regressed]
    with pytest.raises(BadInput, match="accuracy matches no measurement"):
        compare_matrices(cells.of(firmware()), cells.of(firmware()), max_regression=limits)


def test_counts_are_shown_with_every_digit() -> None:
    comparisons = compare_matrices(
        cells.of(firmware()), cells.of(firmware({"footprint.flash": 1.0})), max_regression=0.03
    )
    assert losses(comparisons) == ["footprint.flash (35,728 B to 35,729 B)"]
    text = markdown(comparisons)
    assert "| footprint.flash | 35,728 B | 35,729 B | 1.00003 | exact | 🔴 **larger** |" in text
    agreed = compare_matrices(cells.of(proven()), cells.of(proven({}, {"same": 27})), max_regression=0.03)
    assert losses(agreed) == ["agreement (28 of 30 to 27 of 30)"]
