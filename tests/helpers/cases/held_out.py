"""What `fit` predicts of the cells in toolkit/estimation/calibration.json, and what it would from one half of them.

The cells of every format are cut into two halves by model, in the order of the sha256 of their names. The constants of
the rules, of which each was chosen by looking at measured bundles, are fitted anew to one half (least squares of
relative errors) and held against the other; then the other way round, so that every cell is held out once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from hashlib import sha256
from importlib import import_module
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.bench.statistics import repeated
from edgekit.estimation import speeds
from edgekit.estimation.recipes import recipe_for
from edgekit.registry import find, serving
from edgekit.reports.cells import Cell, label

#: Stands for a module where formats share a number of their `edgekit.core.Encoding`.
ENCODING = "encoding"
#: Constants of the predictions that were chosen by what was measured: module, name and key (of a table) or attribute.
#: What is not here follows from a format (bytes of a number, of a scale, of a block), or is the size of a file that is
#: beside the graphs (golden input and reference, labels, licence).
SIZE = (
    (ENCODING, "onnx litert executorch", "least"),
    (ENCODING, "onnx litert executorch", "layer fp32"),
    (ENCODING, "onnx litert executorch", "layer fp16"),
    (ENCODING, "onnx litert executorch", "layer "),
    (ENCODING, "coreml", "layer "),
    (ENCODING, "coreml", "least"),
    (ENCODING, "litert", "step"),
    (ENCODING, "litert", "step_int8"),
    ("edgekit.models.keyword.shapes", "_MICRO_GRAPH", ""),
    ("edgekit.formats.gguf.shapes", "_TOKENIZER_BYTES", ""),
)
RAM = (
    ("edgekit.runtimes.onnxruntime", "RUNTIME", "process_bytes"),
    ("edgekit.runtimes.openvino", "RUNTIME", "process_bytes"),
    ("edgekit.runtimes.litert", "RUNTIME", "process_bytes"),
    ("edgekit.runtimes.executorch", "RUNTIME", "process_bytes"),
    ("edgekit.formats.gguf.language", "_PROCESS", ""),
    ("edgekit.formats.gguf.language", "_WORD", ""),
)
Constant = tuple[str, str, str]
#: A change of a constant that moves every prediction by whole bytes; a share of a prediction that counts as nothing.
_STEP, _LEAST = 0.1, 1e-3


class Off(NamedTuple):
    """A cell's prediction from the other half: relative errors. None where nothing was measured, or where that half
    tells nothing of a constant that the prediction needs."""

    size: float | None
    ram: float | None


def cells() -> tuple[Cell, ...]:
    """The cells that hold a report."""
    return tuple(cell for cell in speeds.calibration().cells if cell.report is not None)


def predicted(cell: Cell) -> tuple[int, int]:
    """Bytes of the bundle and of the peak of memory, as `fit` says them; of firmware flash and RAM."""
    model, target = find("models", cell.model), find("targets", cell.target)
    recipe = recipe_for(model, target, cell.precision, cell.runtime)
    serves = serving(model, recipe.exporter)
    return serves.costs.size(recipe), serves.costs.memory(recipe)


def measured(cell: Cell) -> tuple[float, float | None]:
    """The same, as measured. Of firmware with its frontend, where it has one."""
    assert cell.report is not None
    most = {one.name: max(repeated.pool(one.values)) for one in cell.report.measurements}
    if cell.runtime == "qemu":
        flash, ram = (most.get(f"footprint_sound.{kind}") or most[f"footprint.{kind}"] for kind in ("flash", "ram"))
        return flash, ram
    return cell.report.bundle["size"], most.get("rss.peak")


@cache
def held_out() -> Mapping[str, Off]:
    """Label of a cell (`edgekit.cells.label`) -> how far its prediction is off when its half was not looked at."""
    size = _crossed([cell for cell in cells() if cell.runtime != "qemu"], SIZE, 0)
    ram = _crossed([cell for cell in cells() if cell.runtime != "qemu" and measured(cell)[1]], RAM, 1)
    found = {label(cell): Off(size.get(label(cell)), ram.get(label(cell))) for cell in cells()}
    return {**found, **_copied()}


def halves(members: Sequence[Cell]) -> tuple[list[Cell], list[Cell]]:
    """By model, each format's own in turn: what is known of one precision is not used for another."""
    parts: tuple[list[Cell], list[Cell]] = ([], [])
    for runtime in sorted({cell.runtime for cell in members}):
        own = [cell for cell in members if cell.runtime == runtime]
        # By the names that formats had when the figures of docs/fit.md were made, so that the halves stay.
        once = runtime if runtime == "openvino" else find("runtimes", runtime).formats[0]
        order = sorted({cell.model for cell in own}, key=lambda name: sha256(f"{once} {name}".encode()).digest())
        for cell in own:
            parts[order.index(cell.model) % 2].append(cell)
    return parts


def _crossed(members: Sequence[Cell], constants: Sequence[Constant], which: int) -> dict[str, float]:
    first, second = halves(members)
    return {**_off(first, second, constants, which), **_off(second, first, constants, which)}


def _off(fitted: Sequence[Cell], others: Sequence[Cell], constants: Sequence[Constant], which: int) -> dict[str, float]:
    """Relative errors of the predictions of `others`, with `constants` fitted to `fitted`."""
    rows = _slopes(fitted, constants, which)
    missed = np.array([measured(cell)[which] - predicted(cell)[which] for cell in fitted])
    truth = _truth(fitted, which)
    # Predictions are sums in which a constant is a factor, so that a single step leads to the least squares.
    step = _fitted(rows, missed / truth)
    _, sizes, basis = np.linalg.svd(rows, full_matrices=False)
    informed = basis[sizes > _LEAST * sizes[0]]
    needed = _slopes(others, constants, which)
    unknown = np.linalg.norm(needed - needed @ informed.T @ informed, axis=1)
    with changed({one: value(one) * (1 + by) for one, by in zip(constants, step, strict=True)}):
        now = [predicted(cell)[which] for cell in others]
    off = np.array(now, np.float64) / _truth(others, which) - 1
    return {label(cell): float(one) for cell, one, lacks in zip(others, off, unknown, strict=True) if lacks < _LEAST}


def _fitted(rows: NDArray[np.float64], missed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least absolute errors (by weighted least squares, again and again): a format's rule is not bent for the sake of
    a network that it does not fit."""
    step = np.zeros(rows.shape[1])
    for _ in range(50):
        weights = 1 / np.sqrt(np.maximum(np.abs(missed - rows @ step), _LEAST))
        step = np.linalg.lstsq(rows * weights[:, None], missed * weights, rcond=_LEAST)[0]
    return step


def _truth(members: Sequence[Cell], which: int) -> NDArray[np.float64]:
    return np.array([measured(cell)[which] for cell in members], np.float64)


def _slopes(members: Sequence[Cell], constants: Sequence[Constant], which: int) -> NDArray[np.float64]:
    """By which share of what was measured a prediction grows when a constant doubles: [members, constants]."""
    before = np.array([predicted(cell)[which] for cell in members], np.float64)
    columns = []
    for one in constants:
        with changed({one: value(one) * (1 + _STEP)}):
            columns.append([predicted(cell)[which] for cell in members])
    return (np.array(columns, np.float64).T - before[:, None]) / _STEP / _truth(members, which)[:, None]


def value(constant: Constant) -> float:
    module, name, key = constant
    if module == ENCODING:
        field, _, precision = key.partition(" ")
        held = getattr(find("exporters", name.split()[0]).encoding, field)
        return float(held[precision] if isinstance(held, Mapping) else held)
    held = vars(import_module(module))[name]
    return float(held[key] if isinstance(held, dict) else getattr(held, key) if key else held)


@contextmanager
def changed(values: Mapping[Constant, float]) -> Iterator[None]:
    """Predictions with other constants."""
    with pytest.MonkeyPatch.context() as patch:
        for (module, name, key), number in values.items():
            for exporter in map(partial(find, "exporters"), name.split() if module == ENCODING else ()):
                field, _, precision = key.partition(" ")
                held = getattr(exporter.encoding, field)
                other = {**held, precision: number} if isinstance(held, Mapping) else number
                patch.setattr(exporter, "encoding", replace(exporter.encoding, **{field: other}), raising=False)
            if module == ENCODING:
                continue
            held = vars(import_module(module))[name]
            if isinstance(held, dict):
                patch.setitem(held, key, number)
            else:
                patch.setattr(*(held, key) if key else (import_module(module), name), number)
        yield


def _copied() -> dict[str, Off]:
    """Firmware, whose bytes were copied from one processor for each way to lay weights out: held against the others."""
    found = {}
    for cell in cells():
        if cell.runtime != "qemu":
            continue
        layout = _layout(cell)
        others = [one for one in cells() if one != cell and one.runtime == "qemu" and one.model == cell.model]
        alike = [measured(one) for one in others if _layout(one) == layout]
        off = [float(np.mean([one[i] for one in alike])) / measured(cell)[i] - 1 if alike else None for i in (0, 1)]
        found[label(cell)] = Off(*off)
    return found


def _layout(cell: Cell) -> str:
    recipe = recipe_for(find("models", cell.model), find("targets", cell.target), cell.precision, cell.runtime)
    return str(recipe.options.get("layout", "plain"))
