"""Swift packages of Core AI: they compile against Apple's documented signatures, and compute by Apple's own runtime."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from helpers.absence import skip_without
from helpers.devices.swift import add_stubs, swift

import edgekit

pytestmark = pytest.mark.real

skip_without("coreai", "Apple's packages are", "accelerator-tools")

ANSWERS = Path(__file__).parents[1] / "coreai_answers.py"
#: Identifiers of what our packages use, from Apple's pages on Core AI. Those with types that only Apple's systems have
#: (Foundation's URL, Span before Swift 6.2) are not here.
DOCUMENTED = """
    s:13CoreAIRuntime7AIModelV
    s:13CoreAIRuntime7NDArrayV7scalars5shapeACq__SaySiGtcs15BitwiseCopyableRz7ElementQy_RszSTR_r0_lufc
    s:13CoreAIRuntime7NDArrayV4view2asAC4ViewVy_xGxm_ts15BitwiseCopyableRzlF
    s:13CoreAIRuntime7NDArrayV5shapeSaySiGvp
    s:13CoreAIRuntime7NDArrayV16interleaveLayoutAC010InterleaveE0VSgvp
    s:13CoreAIRuntime17InferenceFunctionV
    s:13CoreAIRuntime17InferenceFunctionV3run6inputs6states11outputViewsAC7OutputsVSDySSAA7NDArrayVG_AC07MutableI0VnANntYaKF
    s:13CoreAIRuntime17InferenceFunctionV7OutputsV6removeyAA0C5ValueVSgSSF
    s:13CoreAIRuntime14InferenceValueV7ndArrayAA7NDArrayVSgvp
    s:13CoreAIRuntime7AIModelV0A11AIDelegatesE12loadFunction5namedAA09InferenceF0VSgSS_tKF
    s:15CoreAIDelegates21SpecializationOptionsV
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coreai")
    bundle = edgekit.export("ds-cnn-kws", "ios", runtime="coreai", out=folder / "words").path
    return edgekit.package(bundle, "swift", out=folder / "package", options={"name": "Words"})


def test_what_is_in_a_package(package: Path) -> None:
    assert 'platforms: [.iOS("27.0"), .macOS("27.0")]' in (package / "Package.swift").read_text()
    text = "".join(path.read_text() for path in package.rglob("*.swift")) + (package / "README.md").read_text()
    assert "Core AI" in text and "CoreML" not in text and "Core ML" not in text and "edgekit-" not in text
    listed = json.loads((package / "Sources" / "Words" / "Model" / "files.json").read_bytes())["files"]
    assert "network.aimodel/main.mlirb" in {entry["name"] for entry in listed}


def test_apples_runtime_computes_what_the_reference_computed(package: Path, tmp_path: Path) -> None:
    """The package's own tests, and its golden input through Apple's runtime, which lays values as it likes here."""
    program = tmp_path / "answers"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ANSWERS}" 2> "{tmp_path}/errors"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    add_stubs(package, "Words", "CoreAI", "CoreAIDelegates", "CoreAIRuntime")
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    options = [f"-Xswiftc={word}" for word in ("-emit-symbol-graph", "-emit-symbol-graph-dir", str(graphs))]
    said = swift("test", package, *options, environment={"COREAI_ANSWERS": str(program)})
    assert "Executed 4 tests, with 0 failures" in said
    assert "testSelfTest" in said
    symbols = [json.loads(path.read_bytes())["symbols"] for path in graphs.glob("CoreAI*.symbols.json")]
    identifiers = {symbol["identifier"]["precise"] for held in symbols for symbol in held}
    assert set(DOCUMENTED.split()) <= identifiers
