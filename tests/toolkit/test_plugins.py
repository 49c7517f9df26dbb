"""Exporters and runtimes of other packages: what they must declare, and what edgekit then knows of them."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.bundles.facts import target_facts
from edgekit.cli.doctor import examine
from edgekit.core import Work
from edgekit.errors import Unsupported
from edgekit.numerics import weighing
from edgekit.registry import find, names
from edgekit.runtimes.resolved import recipe_of

LACKING = """
from edgekit.core import Abilities, Exporter, Runtime

class Lacking(Exporter):
    interface = 3
    name, precisions, extra = "lacking", ("fp32",), "export"
    distributions, doctor = ("numpy",), "export to nowhere"
    def export(self, model, checkpoint, recipe, calibration, out, work, progress):
        return []

class Running(Runtime):
    interface = 3
    name, formats, distributions, abilities = "running", ("lacking",), ("numpy",), Abilities()
    def load(self, file, threads):
        raise AssertionError("nothing is opened here")

LACKING_LINE
EXPORTER, RUNTIME = Lacking(), Running()
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        *((f"del Lacking.{name}", f"declares no '{name}'") for name in ("name", "precisions", "extra")),
        *((f"del Lacking.{name}", f"declares no '{name}'") for name in ("distributions", "doctor")),
        ("del Lacking.interface", "is of interface none, as those of edgekit 0.2"),
        ("Lacking.interface = 4", "is of interface 4; this edgekit takes 3"),
        ("Lacking.distributions = 'numpy'", "declares no 'distributions'"),
        ("class Lacking: name = 'lacking'", r"is no edgekit\.core\.Exporter"),
        ("class Lacking(Exporter): name = 'lacking'", "cannot be loaded: TypeError: .*export"),
    ],
)
def test_an_outside_exporter_that_lacks_a_declaration_is_told_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    points = "[edgekit.exporters]\nlacking = lacking_module:EXPORTER\n"
    site = toy_model.install(tmp_path / "site", points)
    (site / "lacking_module.py").write_text(LACKING.replace("LACKING_LINE", line))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "lacking_module", raising=False)
    with pytest.raises(Unsupported, match=rf"the exporter 'lacking' of toy 1\.0 {said}"):
        find("exporters", "lacking")
    assert "lacking" in names("exporters")
    assert edgekit.fit("whisper-base", "laptop").verdict == "fits", "it costs only itself"


POINTS = "[edgekit.exporters]\nlacking = whole_module:EXPORTER\n[edgekit.runtimes]\nrunning = whole_module:RUNTIME\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        *((f"del Running.{name}", f"declares no '{name}'") for name in ("name", "formats", "distributions")),
        ("del Running.interface", "is of interface none"),
        ("del Running.abilities", "declares no 'abilities'"),
        (
            "from edgekit.core import Constraint; Running.constraints = tuple(Constraint('rows', x, '') for x in 'ab')",
            "has constraints that contradict each other: 'rows' -> 'a' and -> 'b'",
        ),
        ("del Running.load; Running.__abstractmethods__ = frozenset({'load'})", "cannot be loaded: TypeError: .*load"),
    ],
)
def test_an_outside_runtime_that_lacks_a_declaration_is_told_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    site = toy_model.install(tmp_path / "site", POINTS)
    (site / "whole_module.py").write_text(LACKING.replace("LACKING_LINE", line))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "whole_module", raising=False)
    with pytest.raises(Unsupported, match=rf"the runtime 'running' of toy 1\.0 {said}"):
        find("runtimes", "running")
    assert edgekit.fit("whisper-base", "laptop").verdict == "fits", "it costs only itself"


def test_an_outside_exporter_that_is_whole_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what others need to know of it they learn from it: no other edit."""
    site = toy_model.install(tmp_path / "site", POINTS)
    more = "Lacking.extra, Lacking.distributions = '', ('numpy', 'no-such-thing')"
    bytes_ = "Running.process_bytes = 7_000_000"
    (site / "whole_module.py").write_text(LACKING.replace("LACKING_LINE", f"{more}\n{bytes_}"))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "whole_module", raising=False)
    numpy = importlib.metadata.version("numpy")
    (finding,) = (entry for entry in examine() if entry.what == "export to nowhere")
    assert (finding.ok, finding.found, finding.remedy) == (False, f"numpy {numpy}", "pip install no-such-thing")
    target = replace(
        find("targets", "laptop"),
        runtimes={"running": "pip:numpy=={version}", "absent": "no{version}thing", "qemu": "plain C"},
    )
    assert target_facts(target).runtime == {"running": f"pip:numpy=={numpy}", "absent": "nothing", "qemu": "plain C"}
    works = [Work("network", "convolution", 1, weights=10)]
    least = weighing.memory(works, recipe_of("onnxruntime", "fp32")) - find("runtimes", "onnxruntime").process_bytes
    assert weighing.memory(works, recipe_of("running", "fp32")) == 7_000_000 + least
