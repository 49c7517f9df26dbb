"""Networks that nobody declared, through every exporter and precision: near the reference, or one true sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.toys.bare import bare_model
from helpers.toys.strangers import STRANGERS, part_of

from edgekit.core import Checkpoint
from edgekit.errors import EdgekitError
from edgekit.numerics.parity import limit_of, part_error
from edgekit.registry import find
from edgekit.runtimes.resolved import recipe_of

pytestmark = pytest.mark.thorough

FORMS = [
    *(("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("openvino", "int8"), ("litert", "fp32"), ("litert", "int8")),
    *(("coreml", "fp16"), ("coreml", "int8"), ("executorch", "fp32"), ("executorch", "int8")),
]
#: What cannot be, and a part of the sentence that says so.
IMPOSSIBLE: dict[tuple[str, str, str], str] = {}


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of work that precisions share, as in an export: int8 is compared with fp32."""
    return tmp_path_factory.mktemp("works")


@pytest.mark.parametrize(("runtime", "precision"), FORMS)
@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger(tmp_path: Path, works: Path, name: str, runtime: str, precision: str) -> None:
    part, calls = part_of(STRANGERS[name]())
    out, work, made = tmp_path / "out", works / name / runtime, find("exporters", find("runtimes", runtime).formats[0])
    out.mkdir()
    work.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(Path("toy"), "toy", {}, {}, {})
    recipe, feeds = recipe_of(runtime, precision), {part.name: [feed for feed, _ in calls]}
    try:
        [artifact] = made.export(bare_model(part), checkpoint, recipe, feeds, out, work, lambda *_: None)
    except EdgekitError as exc:
        said = IMPOSSIBLE.get((name, runtime, precision))
        assert said and said in exc.message, exc.message
        assert "\n" not in exc.message
        return
    assert (name, runtime, precision) not in IMPOSSIBLE
    error = part_error(find("runtimes", runtime).load(out / artifact.file, 1), calls)
    assert error <= limit_of(precision, made.limits)
    assert precision == "fp32" or error > 0
