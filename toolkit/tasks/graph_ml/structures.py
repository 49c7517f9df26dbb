"""Structures of proteins: backbones of .pdb files, in the columns that wwPDB's format 3.3 fixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from edgekit.common.files import read_text
from edgekit.common.lazy import NDArray, np
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import need_files

#: Atoms of a residue's backbone, in order.
ATOMS = ("N", "CA", "C", "O")
#: Amino acids by the order of ProteinMPNN's outputs; X is unknown.
LETTERS = "ACDEFGHIKLMNPQRSTVWYX"
#: Their codes of three letters, in the same order; selenomethionine counts as methionine.
_CODES = "ALA CYS ASP GLU PHE GLY HIS ILE LYS LEU MET ASN PRO GLN ARG SER THR VAL TRP TYR MSE"
_NAMES = dict(zip(_CODES.split(), "ACDEFGHIKLMNPQRSTVWYM", strict=True))
#: Most bytes of a file: the largest that the format can hold has 99,999 atoms.
_LARGEST = 16 << 20
_ENDINGS = (".pdb", ".ent")
#: Columns of an atom's line up to its place, and what the format's eight columns hold of an angstrom at most.
_SHORTEST, _FARTHEST = 54, 1e5


@dataclass(frozen=True)
class Structure:
    """A protein's residues whose backbone is whole.

    Attributes:
        coordinates: of `ATOMS`, float32 [residues, 4, 3], in angstroms. letters: of `LETTERS`, one a residue.
        numbers: int64 [residues], as the file counts them in each chain. chains: their names, one a residue.
    """

    coordinates: NDArray[np.float32]
    letters: str
    numbers: NDArray[np.int64]
    chains: str


def samples(folder: Path) -> Sequence[Sample]:
    """Every .pdb or .ent file of a folder; the truth is the file's own sequence.

    Raises:
        BadInput: no such file, or one that cannot be read.
    """
    files = need_files((file for file in folder.glob("*") if file.suffix in _ENDINGS), folder, "no .pdb file")
    return [Sample(str(file), structure_of(file).letters, file.name) for file in files]


def read_structures(file: Traversable) -> Sequence[Sample]:
    """The structures in a .npz of the package: of each the arrays ``NAME.coordinates``, ``.numbers``, ``.letters``.

    NAME is ENTRY-CHAIN; the entry is the source.
    """
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        held = dict(arrays)
    names = list(dict.fromkeys(key.partition(".")[0] for key in held))
    made = []
    for name in names:
        coordinates = held[f"{name}.coordinates"].astype(np.float32) / 1000
        letters, numbers = str(held[f"{name}.letters"]), held[f"{name}.numbers"].astype(np.int64)
        structure = Structure(coordinates, letters, numbers, name[-1] * len(letters))
        made.append(Sample(structure, letters, name, source=name.partition("-")[0]))
    return made


def structure_of(sample: Any, chain: str = "") -> Structure:
    """The structure of a sample.

    Args:
        sample: a `Structure`, or a .pdb file, of which the first model and of each atom the first place is taken.
        chain: the name of a chain; "": all of them.

    Raises:
        BadInput: it cannot be read, or holds no residue with a whole backbone.
    """
    whole = sample if isinstance(sample, Structure) else _of_file(sample)
    at = [i for i, name in enumerate(whole.chains) if chain in ("", name)]
    if not at:
        there = ", ".join(dict.fromkeys(whole.chains))
        raise BadInput(f"there is no chain {chain!r}.", hint=f"There is: {there}.")
    if not np.isfinite(whole.coordinates).all():
        raise BadInput("the structure has a place that is not finite.")
    return Structure(
        whole.coordinates[at],
        "".join(whole.letters[i] for i in at),
        whole.numbers[at],
        "".join(whole.chains[i] for i in at),
    )


def _of_file(sample: Any) -> Structure:
    if not isinstance(sample, (str, Path)) and not hasattr(sample, "read_text"):
        raise BadInput(f"a sample is a .pdb file, not {type(sample).__name__}.")
    if isinstance(sample, (str, Path)):
        path = Path(sample)
        if path.suffix not in _ENDINGS:
            raise BadInput(f"{path.name} is no .pdb file.", hint="Structures are read as .pdb; programs write it.")
        text, name = read_text(path, _LARGEST), path.name
    else:
        text, name = sample.read_text("utf-8"), sample.name
    residues: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {}
    letters: dict[tuple[str, str], str] = {}
    for line in text.splitlines():
        if line.startswith("ENDMDL"):
            break
        atom, residue = line[12:16].strip(), line[17:20].strip()
        known = line.startswith("ATOM  ") or (line.startswith("HETATM") and residue in _NAMES)
        if not known or atom not in ATOMS:
            continue
        if len(line) < _SHORTEST:
            raise BadInput(f"{name} breaks off in the line {line!r}.")
        key = (line[21], line[22:27])
        residues.setdefault(key, {}).setdefault(atom, _place(line, name))
        letters.setdefault(key, _NAMES.get(residue, "X"))
    whole = [key for key, atoms in residues.items() if len(atoms) == len(ATOMS)]
    if not whole:
        raise BadInput(f"{name} has no residue with {', '.join(ATOMS)}: it is no structure of a protein.")
    return Structure(
        np.array([[residues[key][atom] for atom in ATOMS] for key in whole], np.float32),
        "".join(letters[key] for key in whole),
        np.array([_number(key[1], name) for key in whole], np.int64),
        "".join(key[0] for key in whole),
    )


def _place(line: str, name: str) -> tuple[float, ...]:
    try:
        place = tuple(float(line[start : start + 8]) for start in (30, 38, 46))
    except ValueError as exc:
        raise BadInput(f"{name} has an atom whose place is no number: {line[30:54]!r}.") from exc
    if not all(abs(value) < _FARTHEST for value in place):
        raise BadInput(f"{name} has an atom whose place is not finite, or too far: {line[30:54]!r}.")
    return place


def _number(columns: str, name: str) -> int:
    """The number of a residue; the fifth column is an insertion code."""
    try:
        return int(columns[:4])
    except ValueError as exc:
        raise BadInput(f"{name} has a residue whose number is none: {columns!r}.") from exc
