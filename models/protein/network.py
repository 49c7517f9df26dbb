"""ProteinMPNN as two torch modules: the graph of a backbone, and messages along its edges (Dauparas et al. 2022,
doi:10.1126/science.add2187).

The first products of a message are taken apart: what comes from a node is computed once a node, not once an edge. The
sequence is not an input: each residue is judged by the backbone alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.models.common.filling import load_tensors
from edgekit.models.protein.shapes import BINS, DISTANCES, FEED, LAYERS, LETTERS, NEIGHBOURS, PLACES, WIDTH

#: The squared distance of what is filling, in square angstroms; each place a little farther, so that none is a tie.
_FAR = 4e6
#: Messages are summed and made smaller by this.
_SCALE = 30.0
#: The atoms in the order of `Geometry`, and the pairs in the order of the weights.
_ATOMS = ("Ca", "N", "C", "O", "Cb")
_PAIRS = [
    "Ca-Ca", "N-N", "C-C", "O-O", "Cb-Cb", "Ca-N", "Ca-C", "Ca-O", "Ca-Cb", "N-C", "N-O", "N-Cb", "Cb-C", "Cb-O", "O-C",
    "N-Ca", "C-Ca", "O-Ca", "Cb-Ca", "C-N", "O-N", "Cb-N", "C-Cb", "O-Cb", "C-O",
]  # fmt: skip


class Geometry(nn.Module):
    """``coordinates`` float32 [1, L, 4, 3] of N, CA, C and O in angstroms, ``mask`` float32 [1, L], ``numbers`` and
    ``chains`` int64 [1, L] -> ``neighbours`` int64 [1, L, 48], the nearest residues by their CA; ``distances`` float32
    [1, L, 48, 25] between five atoms of both; ``places`` int64 [1, L, 48], the neighbour's along the chain.
    """

    def forward(self, coordinates: Tensor, mask: Tensor, numbers: Tensor, chains: Tensor) -> tuple[Tensor, ...]:
        n, ca, c, o = (coordinates[0, :, i] for i in range(4))
        b, d = ca - n, c - ca
        x, y, z = (b[:, i] * d[:, j] - b[:, j] * d[:, i] for i, j in ((1, 2), (2, 0), (0, 1)))
        cb = -0.58273431 * torch.stack([x, y, z], 1) + 0.56802827 * b - 0.54067466 * d + ca
        real = mask[0, :, None] * mask
        filling = _FAR + torch.arange(mask.shape[1], dtype=torch.float32)
        apart = ((ca[:, None] - ca[None]) ** 2).sum(2) * real + (1.0 - real) * filling
        neighbours = torch.topk(apart, NEIGHBOURS, 1, largest=False).indices
        atoms = torch.stack([ca, n, c, o, cb], 1)
        near = atoms[neighbours.reshape(-1)].reshape(-1, NEIGHBOURS, 1, 5, 3)
        distances = (((atoms[:, None, :, None] - near) ** 2).sum(4) + 1e-6).sqrt().flatten(2)
        across = numbers[0, :, None] - numbers[0][neighbours.reshape(-1)].reshape(-1, NEIGHBOURS)
        other = chains[0, :, None] != chains[0][neighbours.reshape(-1)].reshape(-1, NEIGHBOURS)
        places = torch.where(other, PLACES - 1, (across + 32).clamp(0, 64))
        return neighbours[None], distances[None], places[None]


class _Message(nn.Module):
    """A message along each edge, from both of its nodes and from itself: [1, L, 48, width]."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Linear(WIDTH, WIDTH)
        self.edge, self.other = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.second, self.third = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, nodes: Tensor, edges: Tensor, others: Tensor, neighbours: Tensor) -> Tensor:
        far = self.other(others)[0][neighbours.reshape(-1)].reshape(1, -1, NEIGHBOURS, WIDTH)
        first = self.own(nodes)[:, :, None] + self.edge(edges) + far
        message: Tensor = self.third(F.gelu(self.second(F.gelu(first))))
        return message


class _Nodes(nn.Module):
    """Nodes take the sum of their messages, then pass a layer between."""

    def __init__(self) -> None:
        super().__init__()
        self.message = _Message()
        self.wide, self.narrow = nn.Linear(WIDTH, FEED), nn.Linear(FEED, WIDTH)
        self.told, self.fed = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, nodes: Tensor, edges: Tensor, others: Tensor, graph: tuple[Tensor, Tensor]) -> Tensor:
        neighbours, attended = graph
        message = self.message(nodes, edges, others, neighbours)
        nodes = self.told(nodes + (message * attended[..., None]).sum(2) / _SCALE)
        fed: Tensor = self.fed(nodes + self.narrow(F.gelu(self.wide(nodes))))
        return fed


class _Edges(nn.Module):
    """Edges take a message from their nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.message = _Message()
        self.told = nn.LayerNorm(WIDTH)

    def forward(self, nodes: Tensor, edges: Tensor, neighbours: Tensor) -> Tensor:
        told: Tensor = self.told(edges + self.message(nodes, edges, nodes, neighbours))
        return told


class Messages(nn.Module):
    """What `Geometry` gives, and ``mask`` float32 [1, L] -> ``log_probabilities`` float32 [1, L, 21]."""

    middles: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Embedding(PLACES, WIDTH)
        self.distances, self.begun = nn.Linear(DISTANCES * BINS, WIDTH, bias=False), nn.LayerNorm(WIDTH)
        self.entry, self.exit = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, LETTERS)
        self.encoding = nn.ModuleList(_Nodes() for _ in range(LAYERS))
        self.updating = nn.ModuleList(_Edges() for _ in range(LAYERS))
        self.decoding = nn.ModuleList(_Nodes() for _ in range(LAYERS))
        self.register_buffer("middles", torch.linspace(2.0, 22.0, BINS), persistent=False)

    def forward(self, neighbours: Tensor, distances: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        bins = torch.exp(-(((distances[..., None] - self.middles) / (20.0 / BINS)) ** 2)).flatten(3)
        edges = self.entry(self.begun(self.places(places) + self.distances(bins)))
        attended = mask[:, :, None] * mask[0][neighbours.reshape(-1)].reshape(1, -1, NEIGHBOURS)
        graph, real = (neighbours, attended), mask[:, :, None]
        nodes = torch.zeros_like(edges[:, :, 0])
        for node_layer, edge_layer in zip(self.encoding, self.updating, strict=True):
            nodes = node_layer(nodes, edges, nodes, graph) * real
            edges = edge_layer(nodes, edges, neighbours)
        encoded = nodes
        for layer in self.decoding:
            nodes = layer(nodes, edges, encoded, graph) * real
        answer: Tensor = self.exit(nodes).log_softmax(2)
        return answer


def network(tensors: Mapping[str, NDArray[Any]]) -> Messages:
    """The network with the weights of `tensors`, in the names of ProteinMPNN's own files.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    module, state = Messages(), _State(tensors)
    return load_tensors(module, {name: state.array(name) for name in module.state_dict()}, "ProteinMPNN's")


#: Layer of a message -> the number of its products.
_ENCODING = {"second": "W2", "third": "W3"}
_UPDATING = {"second": "W12", "third": "W13"}
#: Where in the columns of a first product its parts stand: the decoder has the neighbour's letter before its node.
_COLUMNS = {"own": 0, "edge": 1, "other": 2}
_NAMES = {"distances": "features.edge_embedding", "begun": "features.norm_edges", "entry": "W_e", "exit": "W_out"}


class _State:
    """Our tensors by name, from the file's."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._tensors = tensors

    def array(self, name: str) -> Any:
        owner, kind = name.rsplit(".", 1)
        if owner == "places":
            return self._places()
        if owner == "distances":
            return self._distances()
        if owner in _NAMES:
            return self._read_tensor(f"{_NAMES[owner]}.{kind}")
        return self._layer(owner.split("."), kind)

    def _read_tensor(self, name: str) -> Any:
        for key in (name, f"model_state_dict.{name}"):
            if key in self._tensors:
                return np.array(self._tensors[key], np.float32)
        raise BadInput(f"the weights lack {name!r}: they are not ProteinMPNN's.")

    def _places(self) -> Any:
        """Places as one-hot rows through two products are rows of a table."""
        first, bias = (self._read_tensor(f"features.embeddings.linear.{kind}") for kind in ("weight", "bias"))
        return (first.T + bias) @ self._read_tensor("features.edge_embedding.weight")[:, : len(bias)].T

    def _distances(self) -> Any:
        """Columns in the order of our pairs of atoms."""
        stored = self._read_tensor("features.edge_embedding.weight")
        columns = stored[:, stored.shape[1] - DISTANCES * BINS :].reshape(-1, DISTANCES, BINS)
        order = [_PAIRS.index(f"{a}-{b}") for a in _ATOMS for b in _ATOMS]
        return columns[:, order].reshape(len(stored), -1)

    def _layer(self, path: list[str], kind: str) -> Any:
        half, number, *rest = path
        where = f"{'decoder' if half == 'decoding' else 'encoder'}_layers.{number}"
        if rest[0] != "message":
            plain = {"wide": "dense.W_in", "narrow": "dense.W_out", "told": "norm1", "fed": "norm2"}
            name = "norm3" if half == "updating" else plain[rest[0]]
            return self._read_tensor(f"{where}.{name}.{kind}")
        names = _UPDATING if half == "updating" else _ENCODING
        if rest[1] in names:
            return self._read_tensor(f"{where}.{names[rest[1]]}.{kind}")
        first = self._read_tensor(f"{where}.{'W11' if half == 'updating' else 'W1'}.{kind}")
        if kind == "bias":
            return first
        at = _COLUMNS[rest[1]] + (1 if half == "decoding" and rest[1] == "other" else 0)
        return first[:, at * WIDTH : (at + 1) * WIDTH]
