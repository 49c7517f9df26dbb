"""A .tflite as a source: the same bytes for LiteRT, and C if it is int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from helpers.cases.tflite_models import Builder, Case, product

import edgekit
from edgekit.core import ImportOptions
from edgekit.errors import BadInput, EdgekitError, Unsupported
from edgekit.importers.resolved import inspect, model_of


def floats() -> bytes:
    """A product with a matrix in float32."""
    b = Builder("float32")
    x, y = b.tensor((1, 32), scale=None), b.tensor((1, 40), scale=None)
    weight = np.random.default_rng(0).standard_normal((40, 32)).astype(np.float32)
    options = schema.FullyConnectedOptionsT()
    b.add("FULLY_CONNECTED", [x, b.constant(weight), -1], [y], options)
    return b.finish([x], [y])


def saved(folder: Path, content: bytes) -> str:
    (folder / "net.tflite").write_bytes(content)
    return str(folder / "net.tflite")


def test_what_inspect_says(tmp_path: Path) -> None:
    seen = inspect(saved(tmp_path, floats()), ImportOptions(), lambda *_: None)
    assert (seen.kind, seen.parameters, seen.operators) == ("tflite-file", 40 * 32, {"FULLY_CONNECTED": 1})
    assert [(spec.dtype, spec.shape) for spec in (*seen.inputs, *seen.outputs)] == [
        ("float32", (1, 32)),
        ("float32", (1, 40)),
    ]


def test_int8_goes_to_litert_as_it_is_and_to_c(tmp_path: Path) -> None:
    source = saved(tmp_path, product(Case(), "CONV_2D"))
    network = model_of(source).network
    assert (network.ready, set(network.variants), network.precision) == ("tflite", {"integers"}, "int8")
    bundle = edgekit.export(source, target="android", out=tmp_path / "out")
    assert bundle.manifest.recipe.exporter == "litert" and bundle.manifest.recipe.precision == "int8"
    assert bundle.manifest.evidence is not None and bundle.manifest.evidence.calibrated == 0  # nothing was quantized
    with pytest.raises(Unsupported, match="int8"):
        edgekit.export(source, target="android", precision="fp32", out=tmp_path / "other")


@pytest.mark.thorough
def test_int8_becomes_c(tmp_path: Path) -> None:
    source = saved(tmp_path, product(Case(), "CONV_2D"))
    bundle = edgekit.export(source, target="cortex-m4", out=tmp_path / "out")
    assert bundle.manifest.recipe.exporter == "c"


@pytest.mark.thorough
def test_fit_knows_what_it_takes_on_a_chip(tmp_path: Path) -> None:
    source = saved(tmp_path, product(Case(), "CONV_2D"))
    answer = edgekit.fit(source, target="riscv32")
    assert answer.verdict == "fits"
    bundle = edgekit.export(source, target="riscv32", out=tmp_path / "out")
    arena = bundle.manifest.parts[0].census["arena"]
    assert 0.5 * arena < answer.ram <= arena


@pytest.mark.parametrize("runtime", [None, "qemu"])
def test_float_tensors_do_not_become_c_and_the_way_is_told(tmp_path: Path, runtime: str | None) -> None:
    with pytest.raises(Unsupported, match=r"needs integer inputs and outputs.*-o io=int8") as caught:
        edgekit.export(saved(tmp_path, floats()), target="cortex-m4", runtime=runtime, out=tmp_path / "out")
    assert "--runtime litert." not in caught.value.hint, "nothing on a chip runs that"


def test_float_goes_to_litert_in_every_precision(tmp_path: Path) -> None:
    source = saved(tmp_path, floats())
    assert not model_of(source).network.variants
    for precision in ("fp32", "int8"):
        bundle = edgekit.export(source, target="android", precision=precision, out=tmp_path / precision)
        assert bundle.manifest.recipe.precision == precision


def test_what_it_cannot_have(tmp_path: Path) -> None:
    source = saved(tmp_path, floats())
    with pytest.raises(BadInput, match="no dynamic axis 'time'"):
        model_of(source, ImportOptions(axes={"time": (1, 2)}))
    with pytest.raises(Unsupported, match="fill-mask"):
        model_of(source, ImportOptions(task="fill-mask"))
    with pytest.raises(Unsupported, match="onnx"):
        edgekit.export(source, target="laptop", runtime="onnxruntime", out=tmp_path / "out")


@pytest.mark.parametrize("size", [0, 3, 8, 100])
def test_truncated(tmp_path: Path, size: int) -> None:
    with pytest.raises(EdgekitError):
        model_of(saved(tmp_path, floats()[:size]))
