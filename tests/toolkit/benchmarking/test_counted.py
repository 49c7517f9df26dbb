"""Bundles whose target has an emulator are counted there, never timed here, and their bytes are measurements."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

from edgekit.bench.processes import child
from edgekit.bench.processes.answers import failure
from edgekit.benchmarking.benchmark import versus
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Measurement
from edgekit.errors import BadInput


@pytest.fixture
def chip(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy's target has an emulator whose flash is the size of the network; nothing is measured on this machine."""

    def measure(bundle: Path) -> Mapping[str, Any]:
        flash = float((bundle / "network.toy").stat().st_size)
        counts = (
            Measurement("network.instructions", "instructions", ((100.0, 110.0),)),
            Measurement("footprint.flash", "B", ((flash,),)),
        )
        return {"fidelity": "emulated", "board": "toy", "measurements": counts}

    monkeypatch.setattr(toy_model, "TARGET", replace(toy_model.TARGET, device="chip", measure=measure))
    monkeypatch.setattr(child, "once", lambda setup: pytest.fail("it was timed on this machine"))


def larger(bundle: Path, place: Path) -> Path:
    """A copy whose network has a byte more."""
    copy = Path(shutil.copytree(bundle, place))
    with (copy / "network.toy").open("ab") as file:
        file.write(b"x")
    toy_model.forge(copy)
    return copy


@pytest.mark.usefixtures("chip")
def test_a_byte_more_is_a_regression_of_bundles_in_turns(do: Any, bundle: Path, tmp_path: Path) -> None:
    new = larger(bundle, tmp_path / "new")
    out = tmp_path / "new.json"
    code, _, told = do("bench", new, "--vs", bundle, "--max-regression", "0.03", "--out", out)
    assert code == 7 and "footprint.flash" in told and "part.network.size" in told and "bundle.size" not in told
    report = json.loads(out.read_bytes())
    assert report["fidelity"] == "emulated"
    assert do("compare", tmp_path / "new-base.json", out)[0] == 7
    assert do("compare", out, tmp_path / "new-base.json")[0] == 0, "less is no regression"
    code, _, told = do("bench", bundle, "--vs", bundle, "--max-regression", "flsh=0.1")
    assert code == 2 and "flsh matches no measurement" in told and "flash" in told


@pytest.mark.usefixtures("chip")
def test_a_chip_and_a_machine_are_not_measured_in_turns(bundle: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    toy_model.forge(other, lambda raw: raw["target"].update(name="laptop"))
    with pytest.raises(BadInput, match="is counted in chip, the other is timed on this machine"):
        versus([bundle, other])


@pytest.mark.usefixtures("chip")
def test_host_by_name_measures_here(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "once", lambda setup: failure("failed", "here", "", "BadInput"))
    with pytest.raises(BadInput, match="here"):
        versus([bundle, bundle], device="host")


def test_every_report_has_the_bytes_of_the_bundle_and_of_each_part(do_json: Any, bundle: Path) -> None:
    code, found = do_json("bench", bundle, "--processes=1", "--loops=1", "--warmups=1", "--threads=1")
    assert code == 0
    sizes = {item["name"]: item["values"] for item in found["measurements"] if item["name"].endswith(".size")}
    files = open_bundle(bundle).manifest.files
    assert sizes == {
        "bundle.size": [[sum(file.size for file in files.values())]],
        "part.frontend.size": [[files["frontend.toy"].size]],
        "part.network.size": [[files["network.toy"].size]],
    }
    assert "agreement" in found["bundle"]
