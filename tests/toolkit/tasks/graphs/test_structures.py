"""Graph machine learning: structures are read as .pdb states them, and answers are compared residue by residue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.bench.metrics.recovery import recovery
from edgekit.core import Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.graph_ml import divergences, figures
from edgekit.tasks.graph_ml.residues import Residues
from edgekit.tasks.graph_ml.structures import LETTERS, samples, structure_of

TASK = find("tasks", "graph-ml")


def atom(name: str, residue: str, number: str, place: float, *, chain: str = "A", record: str = "ATOM  ") -> str:
    return f"{record}    1  {name:<3} {residue} {chain}{number:>4}    {place:8.3f}{0.0:8.3f}{1.0:8.3f}  1.00  0.00"


def whole(residue: str, number: str, place: float, **more: Any) -> list[str]:
    return [atom(name, residue, number, place + i, **more) for i, name in enumerate(("N", "CA", "C", "O"))]


def file(folder: Path, *lines: str, name: str = "a.pdb") -> Path:
    (folder / name).write_text("\n".join(lines))
    return folder / name


def test_a_structure_is_read(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "HEADER    A PROTEIN",
        *whole("ALA", "-1", 1.0),
        *whole("GLY", "7", 20.0)[:3],  # without its oxygen
        *whole("MSE", "8", 40.0, record="HETATM"),
        *whole("HOH", "9", 60.0, record="HETATM"),
        *whole("SEP", "9", 70.0, chain="B"),
        atom("CA", "SEP", "9", 99.0, chain="B"),  # another place of the same atom
        "ENDMDL",
        *whole("TRP", "9", 80.0),
    )
    structure = structure_of(path)
    assert (structure.letters, structure.chains) == ("AMX", "AAB") and structure.numbers.tolist() == [-1, 8, 9]
    assert structure.coordinates[:, 1, 0].tolist() == [2.0, 41.0, 71.0]
    assert structure_of(path, "B").letters == "X"
    with pytest.raises(BadInput, match="no chain 'C'"):
        structure_of(path, "C")
    assert [sample.truth for sample in samples(tmp_path)] == ["AMX"]


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        ([], "no residue"),
        (["not a structure"], "no residue"),
        ([whole("ALA", "1", 1.0)[0].replace("1.000", "x.000")], "no number"),
        (whole("ALA", "x", 1.0), "number is none"),
        ([line.replace("   1.000   0.000", "     nan   0.000") for line in whole("ALA", "1", 1.0)], "not finite"),
    ],
)
def test_files_that_are_no_structures(tmp_path: Path, lines: list[str], match: str) -> None:
    with pytest.raises(BadInput, match=match):
        structure_of(file(tmp_path, *lines))


def test_samples_of_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no \.pdb file"):
        structure_of(file(tmp_path, "text", name="a.txt"))
    with pytest.raises(BadInput, match="not int"):
        structure_of(3)
    with pytest.raises(BadInput, match=r"holds no \.pdb"):
        samples(tmp_path)


class Near(Runner):
    """A geometry that passes the mask on."""

    inputs = (TensorSpec("coordinates", "float32", (1, 4, 4, 3)),)
    outputs = (TensorSpec("neighbours", "int64", (1, 4)),)

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        assert feeds["coordinates"].shape == (1, 4, 4, 3) and feeds["chains"].tolist() == [[0, 0, 1, 0]]
        return {"neighbours": feeds["numbers"]}


class Glycine(Runner):
    """A network that sees glycine everywhere."""

    inputs = (TensorSpec("neighbours", "int64", (1, 4)), TensorSpec("mask", "float32", (1, 4)))
    outputs = (TensorSpec("log_probabilities", "float32", (1, 4, 21)),)

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        assert feeds["mask"].tolist() == [[1, 1, 1, 0]]
        row = np.full(21, 0.2 / 20)
        row[LETTERS.index("G")] = 0.8
        return {"log_probabilities": np.tile(np.log(row), (1, 4, 1))}


def test_residues_are_named_and_filling_is_left_out(tmp_path: Path) -> None:
    path = file(tmp_path, *whole("GLY", "1", 0.0), *whole("ALA", "2", 9.0), *whole("SEP", "5", 18.0, chain="B"))
    predictor = Residues({"geometry": Near(), "network": Glycine()}, {"least": 4, "most": 4})
    answer = predictor.predict(path)
    assert answer.output == "GGG" and answer.details["recovery"] == 0.5 and answer.details["native"] == "GAX"
    assert "A    1 G   G 0.80" in answer.details["lines"][2]
    assert TASK.show is not None and TASK.show(path, answer).size == (5 * 14, 22 * 14)
    with pytest.raises(BadInput, match="no option 'top'"):
        predictor.predict(path, top=1)
    long = file(tmp_path, *(line for i in range(5) for line in whole("ALA", str(i), 9.0 * i)))
    with pytest.raises(BadInput, match="5 residues; at most 4"):
        predictor.predict(long)


def test_answers_are_compared_by_their_probabilities() -> None:
    even, sure = [[np.log(0.5), np.log(0.5)]], [[np.log(0.9), np.log(0.1)]]
    assert divergences([even], [even]) == [0.0]
    assert divergences([even], [sure]) == pytest.approx([0.9 * np.log(1.8) + 0.1 * np.log(0.2)])
    assert divergences([even * 2, [[float("nan"), 0.0]]], [even, even]) == [float("inf")] * 2
    assert {type(value) for value in figures([sure], [sure]).values()} == {float}
    assert list(figures([sure], [sure]).values()) == [0.0, 1.0] and figures([], []) == {}


def test_recovery_counts_known_residues() -> None:
    assert recovery([{"sequence": "GGG"}], ["GAX"]) == [(1.0, 2.0)]
    with pytest.raises(BadInput, match="another length"):
        recovery([{"sequence": "GG"}], ["GAX"])
    with pytest.raises(BadInput, match="1 outputs against 0"):
        recovery([{"sequence": "GG"}], [])
