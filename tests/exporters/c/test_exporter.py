"""The C exporter: what it writes, what it refuses and how, on small networks made on the spot."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from helpers.cases.tflite_models import Builder, Case, moves, product
from helpers.toys.bare import bare_model
from helpers.toys.toys import damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.core import (
    Artifact,
    Checkpoint,
    Exporter,
    Model,
    Part,
    Recipe,
    TensorSpec,
)
from edgekit.errors import BadInput, EdgekitError, ExportFailed, OverBudget, ParityFailed, Unsupported
from edgekit.exporters.c import EXPORTER, arena, write
from edgekit.exporters.c.layouts import layout as c_layout
from edgekit.exporters.c.lowering import graph
from edgekit.formats.tflite import reader
from edgekit.runtimes.qemu import RUNTIME, build
from edgekit.runtimes.tflite_micro.runner import MicroRunner

CASE = Case(seed=3, height=8, width=7, channels=5, outputs=6, stride=(2, 1))


def network(content: bytes) -> Part:
    program = graph.lower(reader.read(content), "plain")

    def of(side: str, indices: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        tensors = [program.tensors[i] for i in indices]
        return tuple(TensorSpec(f"{side}{i}", t.dtype, t.shape) for i, t in enumerate(tensors))

    return Part("network", of("in", program.inputs), of("out", program.outputs), {}, None)


def model(part: Part) -> Model:
    return bare_model(part, name="small")


def export(folder: Path, content: bytes, options: Mapping[str, Any] | None = None, precision: str = "int8") -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "network.tflite"
    file.write_bytes(content)
    out = folder / "out"
    out.mkdir()
    part = network(content)
    rng = np.random.default_rng(0)
    shape = tuple(int(size) for size in part.inputs[0].shape)
    calls = [{part.inputs[0].name: rng.integers(-128, 128, shape).astype(np.int8)} for _ in range(3)]
    checkpoint = Checkpoint(file, "tflite", {}, {}, {})
    recipe = Recipe("qemu", precision, options or {})
    made = EXPORTER.export(
        model(part), checkpoint, recipe, {"network": calls}, out, folder, lambda what, done, total: None
    )
    assert len(made) == 1
    return made[0]


@pytest.mark.parametrize("layout", c_layout.LAYOUTS)
def test_what_is_written_runs_and_is_exact(tmp_path: Path, layout: str) -> None:
    assert isinstance(EXPORTER, Exporter)
    content = product(CASE, "CONV_2D")
    artifact = export(tmp_path, content, {"layout": layout})
    assert artifact.file == "src/network.c"
    assert artifact.census["operators"] == {"CONV_2D": 1}
    assert artifact.census["macs"] == 4 * 7 * 6 * 3 * 3 * 5
    part = network(content)
    runner = RUNTIME.load(tmp_path / "out" / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == (part.inputs, part.outputs)
    specification = MicroRunner(content, part.inputs, part.outputs)
    given_, expected = (np.load(tmp_path / "out" / "golden" / f"network.{side}.0.npy") for side in ("input", "output"))
    assert len(given_) == 50, "three real ones and random ones"
    for one, answer in zip(given_, expected, strict=True):
        assert np.array_equal(specification({"in0": one})["out0"], answer)
        assert np.array_equal(runner({"in0": one})["out0"], answer)
    with pytest.raises(BadInput, match="in0"):
        runner({"in0": given_[0].astype(np.int16)})


def test_the_text_is_for_people(tmp_path: Path) -> None:
    export(tmp_path, product(CASE, "CONV_2D"))
    source = tmp_path / "out" / "src"
    code, header = (source / "network.c").read_text(), (source / "network.h").read_text()
    assert "/* 0: CONV_2D 1x8x7x5 -> 1x4x7x6, 3x3 kernel */" in code
    assert "ek_conv_2d(&layer_0, (int8_t *)(arena + " in code
    for name in ("void network_init(void);", "void network_invoke(void);", "NETWORK_ARENA_BYTES", "NETWORK_MACS 7560"):
        assert name in header
    assert not any(word in code + header for word in ("malloc", "printf", str(tmp_path)))
    assert not (source / "softmax.c").exists(), "kernels that nothing calls are not shipped"


@pytest.mark.parametrize("layout", c_layout.LAYOUTS)
def test_generated_code_has_no_warnings(tmp_path: Path, layout: str) -> None:
    export(tmp_path, product(CASE, "DEPTHWISE_CONV_2D"), {"layout": layout})
    source = tmp_path / "out" / "src"
    flags = (
        "-std=gnu99",
        "-O2",
        "-fPIC",
        "-shared",
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Wdouble-promotion",
        "-Werror",
    )
    build.shared_library(sorted(source.glob("*.c")), source, tmp_path / "all.so", flags)


def test_names_from_a_file_cannot_leave_a_comment(tmp_path: Path) -> None:
    b = Builder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.2)
    for tensor in b.graph.tensors:
        tensor.name = '*/ #error "out" \\\n\x07 é /*'
    b.add("QUANTIZE", [x], [y], schema.QuantizeOptionsT())
    export(tmp_path, b.finish([x], [y]))
    text = (tmp_path / "out" / "src" / "network.c").read_text()
    assert "#error" in text
    assert text.isascii()


def test_a_second_part_of_the_arena_is_shared(tmp_path: Path) -> None:
    """Three layers in a row: only two tensors live at a time."""
    b = Builder()
    tensors = [b.tensor((1, 4000), scale=0.1 + 0.01 * i, zero=i) for i in range(4)]
    options = schema.ConcatenationOptionsT()
    options.axis = 1
    wide = [b.tensor((1, 8000), scale=0.13, zero=3)]
    for one, other in itertools.pairwise(tensors):
        b.add("QUANTIZE", [one], [other], schema.QuantizeOptionsT())
    b.add("CONCATENATION", [tensors[3], tensors[3]], wide, options)
    program = graph.lower(reader.read(b.finish([tensors[0]], wide)), "plain")
    assert arena.plan(program).bytes == 12_000, "each table works in place; then 4,000 and 8,000 bytes"


# --- what does not fit, or cannot be -------------------------------------------------------------------------------


def test_what_the_exporter_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="int3") as caught:
        export(tmp_path / "a", product(CASE, "CONV_2D"), precision="int3")
    assert "int8" in caught.value.hint
    with pytest.raises(Unsupported, match="colour"):
        export(tmp_path / "b", product(CASE, "CONV_2D"), {"colour": 1})
    with pytest.raises(Unsupported, match="diagonal"):
        export(tmp_path / "c", product(CASE, "CONV_2D"), {"layout": "diagonal"})
    assert not list(tmp_path.glob("*/out/*"))


@pytest.mark.parametrize(("budget", "what"), [("ram", "RAM"), ("flash", "flash")])
def test_over_budget_before_anything_is_generated(tmp_path: Path, budget: str, what: str) -> None:
    with pytest.raises(OverBudget, match=what) as caught:
        export(tmp_path, product(CASE, "CONV_2D"), {budget: 300})
    assert "300 B" in caught.value.message
    assert "The largest: " in caught.value.message
    assert "--board" in caught.value.hint
    assert not list((tmp_path / "out").rglob("*.c"))


def floating() -> bytes:
    b = Builder()
    x, y = b.tensor((1, 4), "float32", None), b.tensor((1, 4), "float32", None)
    b.add("LOGISTIC", [x], [y])
    return b.finish([x], [y])


def unknown_operator() -> bytes:
    b = Builder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.1)
    b.add("HARD_SWISH", [x], [y], schema.HardSwishOptionsT())
    return b.finish([x], [y])


def hybrid() -> bytes:
    b = Builder()
    x, y = b.tensor((1, 4), "float32", None), b.tensor((1, 2), "float32", None)
    w = b.tensor((2, 4), scale=[0.1, 0.1], data=np.ones((2, 4), np.int8))
    b.add("FULLY_CONNECTED", [x, w], [y], schema.FullyConnectedOptionsT())
    return b.finish([x], [y])


@pytest.mark.parametrize(
    ("make", "what"),
    [(floating, "float"), (unknown_operator, "HARD_SWISH"), (hybrid, "float")],
)
def test_a_network_that_cannot_be_translated(make: Any, what: str) -> None:
    with pytest.raises(Unsupported, match=what) as caught:
        graph.lower(reader.read(make()), "plain")
    assert "operator 0" in caught.value.message
    assert caught.value.hint


def broken(change: Any) -> bytes:
    b = Builder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.1)
    b.add("RELU", [x], [y])
    change(b)
    return b.finish([x], [y])


def external(b: Builder) -> None:
    b.model.buffers[0].offset, b.model.buffers[0].size = 4096, 100


def scaled(value: float) -> Any:
    def change(b: Builder) -> None:
        b.graph.tensors[0].quantization.scale = np.array([value], np.float32)

    return change


def dynamic(b: Builder) -> None:
    b.graph.tensors[0].shapeSignature = np.array([1, -1], np.int32)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (external, "outside of its flatbuffer"),
        (scaled(0.0), "scale"),
        (scaled(float("nan")), "scale"),
        (scaled(-1.0), "scale"),
        (dynamic, "dynamic"),
    ],
)
def test_a_file_that_is_not_sound(change: Any, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        reader.read(broken(change))


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0" * 7, b"\0" * 100, b"\x10\0\0\0TFL3" + b"\xff" * 60])
def test_what_is_not_a_tflite(content: bytes) -> None:
    with pytest.raises(BadInput):
        reader.read(content)


def chain() -> bytes:
    """Several operators, so that there is much to damage."""
    return moves(Case(seed=4, height=3, width=4, channels=2), "SPLIT_V")


SOUND = [product(CASE, "CONV_2D"), product(CASE, "DEPTHWISE_CONV_2D"), chain()]


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SOUND), st.data())
def test_a_damaged_file_gives_one_typed_error_or_none(content: bytes, draw: st.DataObject) -> None:
    damaged = damage(content, draw)
    try:
        program = graph.lower(reader.read(damaged), "plain")
        plan = arena.plan(program)
        if plan.bytes < 1 << 20:
            write.write(program, plan, "network", "damaged.tflite")
    except EdgekitError:
        pass


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.c").write_text("int main(void) { return nonsense; }\n")
    with pytest.raises(ExportFailed, match="nonsense"):
        build.shared_library([tmp_path / "bad.c"], tmp_path, tmp_path / "bad.so")


def test_code_that_computes_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = write.write

    def spoiled(*arguments: Any) -> Any:
        written = original(*arguments)
        wrong = "*(int8_t *)outputs[0].data ^= 1;\n    LAYER_END(0,"
        written.files["network.c"] = written.files["network.c"].replace("    LAYER_END(0,", f"    {wrong}")
        return written

    monkeypatch.setattr(write, "write", spoiled)
    with pytest.raises(ParityFailed, match="TensorFlow Lite Micro at call"):
        export(tmp_path, product(CASE, "CONV_2D"))


def test_a_bundle_whose_description_is_gone(tmp_path: Path) -> None:
    artifact = export(tmp_path, product(CASE, "CONV_2D"))
    (tmp_path / "out" / "src" / "network.json").write_text("{}")
    with pytest.raises(BadInput, match="was not checked"):
        RUNTIME.load(tmp_path / "out" / artifact.file, 1)


def test_generating_needs_no_torch(tmp_path: Path) -> None:
    file = tmp_path / "network.tflite"
    file.write_bytes(product(CASE, "CONV_2D"))
    code = (
        "import sys; from pathlib import Path; from edgekit.formats import tflite\n"
        "import edgekit.exporters.c\n"
        "from edgekit.exporters.c import arena, write\n"
        "from edgekit.exporters.c.lowering import graph\n"
        f"program = graph.lower(tflite.read(Path({str(file)!r}).read_bytes()), 'dsp')\n"
        "write.write(program, arena.plan(program), 'network', 'n.tflite')\n"
        "assert not {'torch', 'onnx', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
