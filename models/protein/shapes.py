"""ProteinMPNN as shapes, without torch: what the module is built of, and what it costs."""

from __future__ import annotations

from edgekit.core import Work
from edgekit.numerics.layers import Layer, linear, work

#: Neighbours of a residue; numbers of a node and of an edge, and of the layer between; layers of each half.
NEIGHBOURS, WIDTH, FEED, LAYERS = 48, 128, 512, 3
#: Distances of an edge (5 atoms to 5 atoms), and bins of each; places of a neighbour along the chain; amino acids.
DISTANCES, BINS, PLACES, LETTERS = 25, 16, 66, 21
#: As the module has them: places are one table, and what meets only zeros is left out.
PARAMETERS = 1_613_973


def mpnn_work(residues: int) -> tuple[Work, ...]:
    """Work of a protein of so many residues."""
    edges = residues * NEIGHBOURS
    message = [linear(WIDTH, WIDTH, residues), linear(WIDTH, WIDTH, residues), *[linear(WIDTH, WIDTH, edges)] * 3]
    feed = [linear(WIDTH, FEED, residues), linear(FEED, WIDTH, residues)]
    layers = [linear(DISTANCES * BINS, WIDTH, edges), linear(WIDTH, WIDTH, edges)]
    layers += [*message, *message, *feed] * LAYERS + [*message, *feed] * LAYERS
    layers += [linear(WIDTH, LETTERS, residues)]
    return (
        work("geometry", "vector", [], macs=edges * DISTANCES * 3, held=edges * DISTANCES * 3, quantized=False),
        work("network", "attention", [Layer(PLACES * WIDTH, 0, 0, 0), *layers], tables=2 * WIDTH * (1 + 5 * LAYERS)),
    )
