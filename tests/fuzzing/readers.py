"""How each foreign file is read: by the product's own functions, as far as anything of the file is believed."""

from __future__ import annotations

import json
import math
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

__all__: list[str] = []

#: A graph whose inputs are larger is read, and not tried.
_MOST = 1 << 20


@cache
def program() -> Path:
    """A small .pt2, made once."""
    from fuzzing.seeds import networks

    return networks.program(Path(tempfile.mkdtemp(prefix="edgekit-fuzz-")))


def _ignored(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def checkpoint(path: Path) -> None:
    from edgekit.formats.checkpoint import read_checkpoint

    for tensor in read_checkpoint(path).tensors.values():
        assert tensor.nbytes <= 8 * path.stat().st_size, "a tensor that the file does not hold"


def tflite(path: Path) -> None:
    from edgekit.core import ImportOptions
    from edgekit.formats import tflite as form
    from edgekit.importers.tflite_file import declaring

    form.read(path.read_bytes(), dynamic=True)
    declaring.inspect_file(str(path), "tflite-file", ImportOptions())
    declaring.work_of("network", form.read(path.read_bytes()))


def tflite_firmware(path: Path) -> None:
    from edgekit.exporters.c import arena, write
    from edgekit.exporters.c.lowering import graph
    from edgekit.formats import tflite as form

    parsed = form.read(path.read_bytes())
    for layout in ("plain", "dsp", "helium"):
        lowered = graph.lower(parsed, layout)
        write.write(lowered, arena.plan(lowered), "network", "network.tflite")


def tflite_translation(path: Path) -> None:
    from edgekit.formats import tflite as form
    from edgekit.formats.tflite.translation import translate_graph

    translate_graph(form.read(path.read_bytes()))


def gguf(path: Path) -> None:
    from edgekit.formats import gguf as form
    from edgekit.formats.gguf.described import shape_of_file

    content = path.read_bytes()
    form.read_start(lambda start, size: content[start : start + size], path.name, len(content))
    header = form.read(path)
    form.census(header)
    shape = shape_of_file([header], path.name)
    for precision in ("f16", "q4_k_m", header.file_type):
        if precision:
            _ = (shape.file(precision), shape.laid_out(precision), shape.works(precision))
    _ = (shape.parameters, shape.cache(4096), shape.buffers(4096))


def pte(path: Path) -> None:
    from edgekit.formats.executorch import reader

    reader.read(path.read_bytes())


def onnx(path: Path) -> None:
    from edgekit.formats import onnx as form

    form.load(path)


def onnx_translation(path: Path) -> None:
    import torch

    from edgekit.formats import onnx as form
    from edgekit.formats.onnx.translation import translate

    specs = form.open_file(path).facts.inputs
    shapes = [[axis if isinstance(axis, int) else 2 for axis in spec.shape] for spec in specs]
    model = form.load(path)
    if all(math.prod(shape) < _MOST and min(shape, default=0) >= 0 for shape in shapes):
        dtypes = [getattr(torch, spec.dtype, torch.float32) for spec in specs]
        translate(model, [torch.ones(shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)])


def arrays(path: Path) -> None:
    from edgekit.bundles.golden import read_reference
    from edgekit.errors import EdgekitError
    from edgekit.tasks.reinforcement_learning import observations_in
    from edgekit.tasks.tensors.arrays import read

    for reader in (read_reference, observations_in, read):
        try:
            reader(path)
        except EdgekitError:
            continue
    checkpoint(path)


def variables(path: Path) -> None:
    """Beside the data that belongs to the published index."""
    data = path.with_name("variables.data-00000-of-00001")
    if not data.exists():
        data.write_bytes(bytes(321_307))
    checkpoint_of_folder(path.parent)


def checkpoint_of_folder(folder: Path) -> None:
    from edgekit.formats.checkpoint import read_checkpoint

    read_checkpoint(folder)


def pt2(path: Path) -> None:
    from edgekit.formats.pt2 import program as form
    from edgekit.formats.pt2.rewrite import rewritten

    rewritten(form.read(path))


def structure(path: Path) -> None:
    from edgekit.tasks.graph_ml.structures import structure_of

    structure_of(path)


def manifest(path: Path) -> None:
    from edgekit.bundles import manifest as form

    form.decode(path.read_bytes())


def report(path: Path) -> None:
    """A report is read, drawn as a page and a table, compared, and turned into the forms of others."""
    from edgekit.reports import cells, pytest_benchmark
    from edgekit.reports.comparing import junit, markdown, matrices
    from edgekit.reports.page import document

    matrix = cells.load(path)
    document.render([cell.report for cell in matrix.cells if cell.report], [c for c in matrix.cells if not c.report])
    pytest_benchmark.pytest_benchmark(matrix)
    cells.table(matrix)
    diffs = matrices.compare_matrices(matrix, matrix, max_regression=0.03, force=True)
    junit.junit(diffs)
    markdown.markdown(diffs)


def frontier(path: Path) -> None:
    from edgekit.gate import frontier as form

    chosen = form.load(path.parent)
    if chosen is not None:
        form.rows(chosen[1], chosen[0])


def descriptions(path: Path) -> None:
    """Beside a part in C, and beside a program of ExecuTorch (which is another than described)."""
    from edgekit.errors import EdgekitError
    from edgekit.runtimes.executorch import runner
    from edgekit.runtimes.qemu import description

    path.with_suffix(".pte").write_bytes(b"no program")
    for read in (
        lambda: description.description_of({"p.json": path.read_bytes()}, "p"),
        lambda: runner.load(path.with_suffix(".pte"), 1),
    ):
        try:
            read()
        except EdgekitError:
            continue


def wheel(path: Path) -> None:
    from edgekit.sources.transports import pypi

    class Here(pypi.Wheels):
        def _download(self, requirement: str, platform: str) -> Path:
            return path

    _fetched(Here, "pypi://toy@1/toy/w", path)


def tarball(path: Path) -> None:
    from edgekit.sources.transports import npm

    class Here(npm.Tarballs):
        def _download(self, requirement: str) -> Path:
            return path

    _fetched(Here, "npm://toy@1.0.0/w", path)


def _fetched(transport: Any, address: str, path: Path) -> None:
    from edgekit.sources.transports import Bounds

    out = path.with_name("out")
    transport(path.parent, _ignored).get(address, out, Bounds(10_000, True, lambda size: None))
    assert out.stat().st_size <= 10_000, "more bytes than were allowed"


def sound(path: Path) -> None:
    from edgekit.tasks.common.audio import open_audio

    audio, at = open_audio(path, 16_000), 0
    while len(audio.window(at, 160_000)) and at < 10 * 160_000:
        at += 160_000


def pipe(path: Path) -> None:
    from edgekit.tasks.common.audio import Converter
    from edgekit.tasks.common.waves import Pipe

    with path.open("rb") as file:
        sound = Pipe(file)
        converter = Converter(sound.rate, 16_000)
        for chunk in sound.chunks(0.1):
            converter.push(chunk)
        converter.end()


def picture(path: Path) -> None:
    from edgekit.tasks.common.pictures import pixels_of

    pixels_of(path, {"short_side": 32, "crop": "center"}, 28, 28)


def annotations(path: Path) -> None:
    from edgekit.tasks.common.vision.coco import annotated_samples, box_of

    image = path.parent / "images" / "a.png"
    if not image.exists():
        image.parent.mkdir()
        image.touch()
    annotated_samples(path.parent, ("face",), box_of)


def list_of_sounds(path: Path) -> None:
    from edgekit.tasks.common.folders import sounds

    path.with_name("input").touch()
    sounds(path.parent, lambda entry: str(entry["text"]), '{"audio": ..., "text": ...}', "language")


def table(path: Path) -> None:
    from edgekit.tasks.reinforcement_learning import observations_in

    observations_in(path)


def tokenizer(path: Path) -> None:
    from edgekit.tasks.common.tokens import Tokens

    rules = {"file": path.name, "most": 16, "pad": "a", "side": "right"}
    Tokens(path.parent, {"tokenizer": rules}).ids("a ab, b\u00e9 <s> \U0001f600", "other")


def adapter(path: Path) -> None:
    """Beside a rank of two for a single weight."""
    from fuzzing.seeds import weights

    from edgekit.formats.adapters import read_adapter

    file = path.with_name("adapter_model.safetensors")
    if not file.exists():
        file.write_bytes(weights.adapter_weights())
    read_adapter(path.parent)


def settings(path: Path) -> None:
    """A folder of Hugging Face with these settings and a file of weights."""

    from fuzzing.seeds import documents, weights

    from edgekit.core import ImportOptions
    from edgekit.importers.hub import HubImporter

    file = path.with_name("model.safetensors")
    if not file.exists():
        file.write_bytes(next(iter(weights.safetensors_files(path.parent))))
        for name in ("preprocessor_config.json", "tokenizer_config.json"):
            path.with_name(name).write_text(json.dumps({"size": {"height": 32, "width": 32}, "sampling_rate": 16000}))
        path.with_name("tokenizer.json").write_bytes(next(iter(documents.tokenizers(path.parent))))
    HubImporter().inspect(str(path.parent), ImportOptions(), _ignored)
