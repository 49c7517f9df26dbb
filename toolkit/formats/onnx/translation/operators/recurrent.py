"""Recurrent layers: torch's own where it has them, else step by step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import Held, Value, sizes, to_tensor

_ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "sigmoid": lambda x, a, b: torch.sigmoid(x),
    "tanh": lambda x, a, b: torch.tanh(x),
    "relu": lambda x, a, b: torch.relu(x),
    "hardsigmoid": lambda x, a, b: torch.clamp(x * (0.2 if a is None else a) + (0.5 if b is None else b), 0.0, 1.0),
    "softsign": lambda x, a, b: F.softsign(x),
    "softplus": lambda x, a, b: F.softplus(x),
    "leakyrelu": lambda x, a, b: F.leaky_relu(x, 0.01 if a is None else a),
    "elu": lambda x, a, b: F.elu(x, 1.0 if a is None else a),
    "affine": lambda x, a, b: x * (1.0 if a is None else a) + (0.0 if b is None else b),
    "scaledtanh": lambda x, a, b: torch.tanh(x * (1.0 if b is None else b)) * (1.0 if a is None else a),
    "thresholdedrelu": lambda x, a, b: F.threshold(x, 1.0 if a is None else a, 0.0),
}
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


@operator("edgekit.LSTM", "edgekit.GRU", "edgekit.RNN", raw=True)
def _by_torch(node: Node, data: Value, hidden: Value | None, cell: Value | None, *weights: Value) -> Any:
    """What `fusion` makes of a layer that torch has too; weights in torch's order of gates."""
    x = to_tensor(data)
    batch_first = bool(node.get("layout", 0))
    if batch_first:
        x = x.transpose(0, 1)
    direction, size = node.get("direction", "forward"), node.get("hidden_size")
    both = direction == "bidirectional"
    if direction == "reverse":
        x = x.flip(0)
    states = [_state(x, state, 2 if both else 1, size, batch_first) for state in (hidden, cell)]
    flat = [to_tensor(weight) for weight in weights]
    arguments = (flat, bool(node.get("biased")), 1, 0.0, False, both, False)
    kind = node.kind.removeprefix("edgekit.")
    if kind == "LSTM":
        y, last, last_cell = torch.lstm(x, states, *arguments)
    else:
        compute = torch.gru if kind == "GRU" else torch.rnn_tanh
        y, last = compute(x, states[0], *arguments)
        last_cell = None
    if direction == "reverse":
        y = y.flip(0)
    count = 2 if both else 1
    y = y.reshape([*sizes(y)[:2], count, size]).transpose(1, 2)
    return _outputs(node, y, last, last_cell)


def _outputs(node: Node, y: Tensor, last: Tensor, cell: Tensor | None) -> tuple[Tensor | None, ...]:
    """Y [time, directions, batch, size] and the last states [directions, batch, size], in the node's layout."""
    if node.get("layout", 0):
        y, last = y.permute(2, 0, 1, 3), last.transpose(0, 1)
        cell = None if cell is None else cell.transpose(0, 1)
    return y, last, cell


def _state(x: Tensor, state: Value | None, directions: int, size: int, batch_first: bool) -> Tensor:
    if state is None:
        return torch.zeros([directions, sizes(x)[1], size], dtype=x.dtype)
    value = to_tensor(state)
    return value.transpose(0, 1) if batch_first else value


@operator("LSTM", "GRU", "RNN", raw=True)
def _by_steps(
    node: Node,
    data: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    lengths: Value | None = None,
    hidden: Value | None = None,
    cell: Value | None = None,
    peepholes: Value | None = None,
) -> Any:
    x = to_tensor(data)
    batch_first = bool(node.get("layout", 0))
    if batch_first:
        x = x.transpose(0, 1)
    time = sizes(x)[0]
    if not isinstance(time, int):
        raise node.refusal("its form has no operator in torch, and the axis of time is dynamic")
    if lengths is not None and not (isinstance(lengths, Held) and (lengths.array == time).all()):
        raise node.refusal("it has sequences of several lengths")
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[node.get("direction", "forward")]
    size = node.get("hidden_size")
    states = [_state(x, state, len(ways), size, batch_first) for state in (hidden, cell)]
    answers = []
    for place, backwards in enumerate(ways):
        parts = [None if value is None else to_tensor(value)[place] for value in (w, r, b, peepholes)]
        layer = _Layer(node, place, parts)
        answers.append(layer.run(x, states[0][place], states[1][place], backwards))
    y = torch.stack([answer[0] for answer in answers], 1)
    last, last_cell = (torch.stack([answer[place] for answer in answers]) for place in (1, 2))
    return _outputs(node, y, last, last_cell)


class _Layer:
    """A direction of a layer, step by step."""

    def __init__(self, node: Node, place: int, parts: list[Tensor | None]) -> None:
        self.node, self.kind, self.size = node, node.kind, node.get("hidden_size")
        w, r, b, self.peepholes = parts
        assert w is not None and r is not None
        self.w, self.r = w, r
        half = w.shape[0]
        self.wb: Tensor | None = None if b is None else b[:half]
        self.rb: Tensor | None = None if b is None else b[half:]
        count = len(_DEFAULTS[self.kind])
        names = node.get("activations") or _DEFAULTS[self.kind] * 2
        names = [name.lower() for name in names[place * count :][:count]]
        missing = [name for name in names if name not in _ACTIVATIONS]
        if missing:
            raise node.refusal(f"its activation {missing[0]} is not known")
        alphas, betas = list(node.get("activation_alpha") or ()), list(node.get("activation_beta") or ())
        self.act = [
            partial(_ACTIVATIONS[name], a=_at(alphas, place * count + i), b=_at(betas, place * count + i))
            for i, name in enumerate(names)
        ]

    def run(self, x: Tensor, h: Tensor, c: Tensor, backwards: bool) -> tuple[Tensor, Tensor, Tensor]:
        projected = F.linear(x, self.w, self.wb)
        steps = range(sizes(x)[0])
        seen: dict[int, Tensor] = {}
        for step in reversed(steps) if backwards else steps:
            h, c = {"LSTM": self._lstm, "GRU": self._gru, "RNN": self._rnn}[self.kind](projected[step], h, c)
            seen[step] = h
        return torch.stack([seen[step] for step in steps]), h, c

    def _clip(self, x: Tensor) -> Tensor:
        limit = self.node.get("clip")
        return x if limit is None else torch.clamp(x, -limit, limit)

    def _lstm(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        f, g, last = self.act
        i_gate, o_gate, f_gate, c_gate = (x + F.linear(h, self.r, self.rb)).chunk(4, -1)
        peep = (None,) * 3 if self.peepholes is None else self.peepholes.chunk(3, -1)
        if peep[0] is not None:
            i_gate, f_gate = i_gate + peep[0] * c, f_gate + peep[2] * c
        i_gate = f(self._clip(i_gate))
        f_gate = 1 - i_gate if self.node.get("input_forget", 0) else f(self._clip(f_gate))
        c = f_gate * c + i_gate * g(self._clip(c_gate))
        if peep[1] is not None:
            o_gate = o_gate + peep[1] * c
        return f(self._clip(o_gate)) * last(c), c

    def _gru(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        f, g = self.act
        x_z, x_r, x_h = x.chunk(3, -1)
        r_z, r_r, r_h = self.r.chunk(3, 0)
        b_z, b_r, b_h = (None,) * 3 if self.rb is None else self.rb.chunk(3, -1)
        z = f(self._clip(x_z + F.linear(h, r_z, b_z)))
        r = f(self._clip(x_r + F.linear(h, r_r, b_r)))
        inner = r * F.linear(h, r_h, b_h) if self.node.get("linear_before_reset", 0) else F.linear(r * h, r_h, b_h)
        new = g(self._clip(x_h + inner))
        return (1 - z) * new + z * h, c

    def _rnn(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        return self.act[0](self._clip(x + F.linear(h, self.r, self.rb))), c


def _at(values: list[float], place: int) -> float | None:
    return values[place] if place < len(values) else None
