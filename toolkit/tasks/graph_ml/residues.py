"""The pipeline from a structure to probabilities of each residue's amino acid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.graph_ml.structures import LETTERS, Structure, structure_of

#: Residues that are printed, and amino acids of each.
_SHOWN, _BEST = 20, 3


class Residues(Predictor):
    """Of every residue of a protein, which amino acid would suit its backbone.

    Parts: ``geometry``: ``coordinates`` float32 [1, L, 4, 3], ``mask`` float32 [1, L], ``numbers`` and ``chains`` int64
    [1, L] -> what ``network`` takes beside ``mask``; ``network`` -> ``log_probabilities`` float32 [1, L, 21].

    `facts`: ``least`` and ``most`` residues of a call; a shorter protein is filled up.
    """

    def __init__(self, parts: Mapping[str, Runner], facts: Facts) -> None:
        self._geometry, self._network = parts["geometry"], parts["network"]
        size = self._geometry.inputs[0].shape[1]
        fixed = isinstance(size, int)
        self._least, self._most = (int(size) if fixed else fact_of(facts, name, int) for name in ("least", "most"))

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The most probable sequence as text; in the details ``native`` (the file's own), ``recovery`` (the share of
        known residues that are the same), ``letters`` and ``log_probabilities`` [residues][letters].

        Args:
            sample: a .pdb file, or `edgekit.tasks.graph_ml.structures.Structure`. chain: option, the name of a chain.

        Raises:
            BadInput: it cannot be read, is too long, or an option is unknown.
        """
        check_names(options, ("chain",))
        structure = structure_of(sample, str(options.get("chain", "")))
        count = len(structure.letters)
        if count > self._most:
            raise BadInput(
                f"the structure has {count} residues; at most {self._most} are taken.",
                hint="Choose a chain, such as -o chain=A.",
            )
        rows = self._probabilities(structure)[:count]
        best = "".join(LETTERS[i] for i in rows[:, :20].argmax(1))
        known = [(mine, wanted) for mine, wanted in zip(best, structure.letters, strict=True) if wanted != "X"]
        recovery = sum(mine == wanted for mine, wanted in known) / max(1, len(known))
        details = {
            "native": structure.letters,
            "recovery": recovery,
            "letters": LETTERS,
            "log_probabilities": rows.tolist(),
            "lines": [best, f"{recovery:.1%} of {len(known)} residues are the file's own", *_table(structure, rows)],
        }
        score = {"sequence": best, "log_probabilities": rows.tolist()}
        return Prediction(best, details, {"residues": float(count)}, score=score)

    def _probabilities(self, structure: Structure) -> NDArray[Any]:
        """Log-probabilities [L, 21], with those of the filling."""
        count = len(structure.letters)
        more = max(0, self._least - count)
        names = list(dict.fromkeys(structure.chains))
        chains = np.array([names.index(name) for name in structure.chains], np.int64)
        # Half precision holds small numbers better, and only differences count.
        centred = structure.coordinates - structure.coordinates.mean((0, 1))
        feeds = {
            "coordinates": np.pad(centred.astype(np.float32), ((0, more), (0, 0), (0, 0)))[None],
            "mask": np.pad(np.ones(count, np.float32), (0, more))[None],
            "numbers": np.pad(structure.numbers, (0, more))[None],
            "chains": np.pad(chains, (0, more))[None],
        }
        edges = self._geometry(feeds)
        made = self._network({**edges, "mask": feeds["mask"]})
        return np.asarray(made["log_probabilities"][0], np.float64)


def _table(structure: Structure, rows: NDArray[Any]) -> list[str]:
    """A line a residue: its place, the file's amino acid, and the most probable ones."""
    lines = []
    for i in range(min(_SHOWN, len(rows))):
        best = np.argsort(-rows[i])[:_BEST]
        told = "  ".join(f"{LETTERS[at]} {np.exp(rows[i, at]):.2f}" for at in best)
        lines.append(f"{structure.chains[i]} {structure.numbers[i]:4} {structure.letters[i]}   {told}")
    return lines + ([f"... {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else [])
