"""Recurrent operators of ML Programs: inputs by name -> value, in torch. Time is the first axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgekit.common.lazy import torch
from edgekit.runtimes.coreml.interpreter.shapes import Operator, Values, wide

#: (input of a step, states) -> states after it; the first of them is what the layer gives.
Step = Callable[[Any, tuple[Any, ...]], tuple[Any, ...]]


def _activation(name: str) -> Any:
    return {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "linear": lambda x: x}[name]


def _over_time(x: Any, states: tuple[Any, ...], step: Step, backward: bool) -> tuple[Any, tuple[Any, ...]]:
    """What every step gives, in the order of time, and the last states."""
    steps = []
    for one in x.flip(0) if backward else x:
        states = step(one, states)
        steps.append(states[0])
    return torch.stack(steps[::-1] if backward else steps), states


def _weights(v: Values, side: str = "") -> tuple[Any, Any, Any]:
    bias = v.get(f"bias{side}")
    return wide(v[f"weight_ih{side}"]), wide(v[f"weight_hh{side}"]), 0.0 if bias is None else wide(bias)


def _lstm_step(v: Values, side: str) -> Step:
    """Gates lie in the order input, forget, output, cell (`mil.ops.defs.iOS15.recurrent.lstm`)."""
    w_in, w_hidden, bias = _weights(v, side)
    gate, inner, outer = (
        _activation(str(v.get(name, default)))
        for name, default in (("recurrent_activation", "sigmoid"), ("cell_activation", "tanh"), ("activation", "tanh"))
    )
    if v.get(f"peephole{side}") is not None:
        raise ValueError("an lstm with peepholes is not known here")
    clip = float("inf") if v.get("clip") is None else float(v["clip"])

    def step(x: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, cell = states
        i, f, o, g = torch.chunk(x @ w_in.T + hidden @ w_hidden.T + bias, 4, -1)
        cell = (gate(f) * cell + gate(i) * inner(g)).clamp(-clip, clip)
        return gate(o) * outer(cell), cell

    return step


def _lstm(v: Values) -> Any:
    direction, x = v.get("direction", "forward"), wide(v["x"])
    start = wide(v["initial_h"]), wide(v["initial_c"])
    if direction == "bidirectional":
        halves = list(zip(*(state.chunk(2, -1) for state in start), strict=True))
        sides = [
            _over_time(x, states, _lstm_step(v, side), bool(side))
            for states, side in zip(halves, ("", "_back"), strict=True)
        ]
        whole = torch.cat([steps for steps, _ in sides], -1)
        ends = [torch.cat(both, -1) for both in zip(*(states for _, states in sides), strict=True)]
    else:
        whole, states = _over_time(x, start, _lstm_step(v, ""), direction == "reverse")
        ends = list(states)
    return (whole if v.get("output_sequence", False) else ends[0][None]), *ends


def _gru(v: Values) -> Any:
    """Gates lie in the order reset, output, update; one bias serves inputs and states."""
    w_in, w_hidden, bias = _weights(v)
    gate = _activation(str(v.get("recurrent_activation", "sigmoid")))
    outer = _activation(str(v.get("activation", "tanh")))
    reset_h, out_h, update_h = w_hidden.chunk(3, 0)

    def step(x: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
        [hidden] = states
        reset, out, update = (x @ w_in.T + bias).chunk(3, -1)
        reset, update = gate(reset + hidden @ reset_h.T), gate(update + hidden @ update_h.T)
        out = outer(out + reset * (hidden @ out_h.T))
        return ((1 - update) * out + update * hidden,)

    return _whole(v, step)


def _rnn(v: Values) -> Any:
    w_in, w_hidden, bias = _weights(v)
    act = _activation(str(v.get("activation", "tanh")))
    return _whole(v, lambda x, states: (act(x @ w_in.T + states[0] @ w_hidden.T + bias),))


def _whole(v: Values, step: Step) -> Any:
    backward = v.get("direction", "forward") == "reverse"
    whole, [last] = _over_time(wide(v["x"]), (wide(v["initial_h"]),), step, backward)
    return (whole if v.get("output_sequence", False) else last[None]), last


RECURRENT: Mapping[str, Operator] = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}
