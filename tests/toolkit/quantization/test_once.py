"""Every algorithm of quantization stands once, and the table of docs/quantization.md says which format uses it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
QUANTIZATION = "edgekit.quantization."
#: The algorithms on weights alone, and where each of them is.
ALGORITHMS = {
    "rotation": "weights/rotation.py:rotation",
    "channels evened out": "weights/streams.py:factors",
    "GPTQ": "weights/gptq.py:run_gptq",
    "shrinkage": "weights/gptq.py:shrink_hessian",
    "shift into biases": "weights/snapping.py:snap_to_grid",
    "sensitivity by layer": "candidates.py:alone",
    "allocation of bits": "allocation.py:allocate",
}
#: How a cell of the table begins where a format does not use what the row is about.
LACKING = ("not built", "activations are not quantized", "the runtime has", "the file's own", "its own")


def file_of(module: str) -> Path | None:
    """The file of one of our modules that concern quantization."""
    if not module.startswith((QUANTIZATION, "edgekit.exporters.")):
        return None
    room = module.removeprefix("edgekit.").replace(".", "/")
    base = ROOT / ("toolkit" if module.startswith(QUANTIZATION) else "") / room
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


@cache
def imports(file: Path) -> frozenset[Path]:
    """Our files that a file imports."""
    found = set[Path | None]()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {file_of(name.name) for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {file_of(f"{node.module}.{name.name}") for name in node.names}
            found |= (inner - {None}) or {file_of(node.module)}
    return frozenset(one for one in found if one is not None)


def used(exporter: str) -> set[str]:
    """Files below toolkit/quantization that a format imports, itself or through what it imports. What the base class of
    all searches knows of is no use by a format."""
    room = ROOT / "toolkit" / "quantization"
    todo, seen = list((ROOT / "exporters" / exporter).rglob("*.py")), set[Path]()
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += [] if file == room / "candidates.py" else imports(file)
    return {str(file.relative_to(room)) for file in seen if room in file.parents}


def rows() -> list[tuple[str, str, str, str]]:
    """(technique, its file, format, what the table says)."""
    text = (ROOT / "docs" / "quantization.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    start = next(i for i, line in enumerate(lines) if line.startswith("| technique |"))
    _, *formats = [cell.strip() for cell in lines[start].strip("|").split("|")]
    table = []
    for line in lines[start + 1 :]:
        technique, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != len(formats):
            break
        file = re.search(r"`([a-z_/]+\.py)`", technique)
        table += [(technique, file[1] if file else "", *pair) for pair in zip(formats, cells, strict=True)]
    return table


@pytest.mark.parametrize(("technique", "file", "exporter", "said"), rows(), ids=lambda value: value[:24])
def test_the_table_says_what_formats_import(technique: str, file: str, exporter: str, said: str) -> None:
    assert file, f"name the file of: {technique}"
    assert said and (file in used(exporter)) == (not said.startswith(LACKING)), (technique, exporter, said)


@pytest.mark.parametrize("place", ALGORITHMS.values(), ids=ALGORITHMS)
def test_an_algorithm_is_defined_once(place: str) -> None:
    """Nothing below exporters or toolkit/quantization has a function of its name but the one, and those that adapt it
    to a format (which import it)."""
    file, name = place.split(":")
    owner = ROOT / "toolkit" / "quantization" / file
    defined = {
        path
        for room in ("exporters", "toolkit/quantization")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == name
    }
    assert owner in defined
    assert all(owner in imports(path) for path in defined - {owner})


def test_linear_algebra_of_weights_is_in_one_room() -> None:
    solving = re.compile(r"linalg\.(cholesky|inv|qr|svd|eigh?|solve|lstsq)\b")
    found = {
        path.relative_to(ROOT)
        for room in ("exporters", "toolkit/quantization")
        for path in (ROOT / room).rglob("*.py")
        if solving.search(path.read_text(encoding="utf-8"))
    }
    assert found == {Path("toolkit/quantization/weights") / name for name in ("gptq.py", "rotation.py")}
