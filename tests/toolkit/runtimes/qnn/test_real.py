"""A real network for a real chip: placed whole, right on Qualcomm's simulator, and the bundle says so."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from helpers.absence import skip_without
from helpers.devices import packaging

import edgekit
from edgekit.bundles.places import placement_of
from edgekit.core import Bundle
from edgekit.errors import BadInput, ParityFailed
from edgekit.runtimes.qnn.forms import FORMS

pytestmark = pytest.mark.real

skip_without("onnxruntime_qnn", "Qualcomm's libraries are", "accelerator-tools")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    place = tmp_path_factory.mktemp("qnn") / "vww"
    return edgekit.export("mobilenet-v1-025-vww", "android", board="sm8650", out=place, require_placed=0.99)


def test_every_multiplication_is_there_and_right_by_the_simulator(bundle: Bundle) -> None:
    (part,) = bundle.manifest.parts
    placement = placement_of(part.census)
    assert placement is not None and placement.proof is not None
    assert (placement.multiplications, placement.pieces, placement.verdict) == (1.0, 1, "on the unit")
    assert placement.fidelity == "simulated" and "onnxruntime-qnn" in placement.by
    proof = placement.proof
    assert proof.cpu is not None and proof.fp32 is not None and proof.cpu_fp32 is not None
    assert proof.cpu >= 22 and proof.fp32 >= proof.cpu_fp32 - 1


def test_the_bundle_says_where_it_runs_and_under_whose_terms(bundle: Bundle) -> None:
    assert "Qualcomm HTP, SM8650" in (bundle.path / "README.md").read_text()
    assert "Qualcomm's AI Stack License" in bundle.manifest.licences["onnxruntime-qnn"]
    tools = json.loads((bundle.path / "sbom.cdx.json").read_text())["metadata"]["tools"]["components"]
    (library,) = (tool for tool in tools if tool["name"] == "onnxruntime-qnn")
    assert "Qualcomm's AI Stack License" in library["licenses"][0]["license"]["name"]


def test_verify_asks_the_simulator_again(bundle: Bundle) -> None:
    assert edgekit.verify(bundle.path)["placed"]["network"] >= 22


def test_a_kit_has_the_forms_the_part_and_its_context(bundle: Bundle, tmp_path: Path) -> None:
    packaging.tools()
    place = edgekit.package(bundle.path, "kit", out=tmp_path / "kit.zip")
    with zipfile.ZipFile(place) as archive:
        listed = dict(line.split() for line in archive.read("phone/cases/list").decode().splitlines())
        held = {Path(name).name for name in archive.namelist()}
    assert {*FORMS, "network", "network-compiled"} <= listed.keys() and listed["network"] == "22"
    assert {name for name in bundle.manifest.files if name.endswith(".bin")} <= held
    assert not any("Qnn" in name for name in held), "Qualcomm's libraries are the user's to bring"


def test_a_changed_byte_of_the_context_is_found(bundle: Bundle, tmp_path: Path) -> None:
    (context,) = (name for name in bundle.manifest.files if name.endswith(".bin"))
    file = bundle.path / context
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(BadInput):
            edgekit.verify(bundle.path)
    finally:
        file.write_bytes(content)


def test_more_than_there_is_cannot_be_required(tmp_path: Path) -> None:
    with pytest.raises(ParityFailed, match="--require-placed"):
        edgekit.export(
            "openwakeword-hey-jarvis",
            "android",
            board="sm8650",
            out=tmp_path / "out",
            require_placed=1.0,
            evidence=False,
        )
    assert not (tmp_path / "out").exists()
