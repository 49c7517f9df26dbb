"""Steps of a program that draw random numbers: its answers differ each time, and no bundle can be compared with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.formats.pt2 import operators

#: Operators that draw, whatever their arguments are.
ALWAYS = frozenset(
    {
        *("bernoulli", "bernoulli_", "binomial", "cauchy", "cauchy_", "exponential", "exponential_", "geometric"),
        *("geometric_", "log_normal", "log_normal_", "multinomial", "normal", "normal_", "normal_functional"),
        *("poisson", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "random", "random_"),
        *("randperm", "uniform", "uniform_"),
    }
)
#: Operators that draw while training, or where they are told a share to drop.
TRAINING = frozenset(
    {
        *("alpha_dropout", "alpha_dropout_", "dropout", "dropout_", "feature_alpha_dropout", "feature_alpha_dropout_"),
        *("feature_dropout", "feature_dropout_", "gru", "lstm", "miopen_rnn", "native_dropout", "rnn_relu", "rnn_tanh"),
        *("rrelu", "rrelu_", "rrelu_with_noise", "rrelu_with_noise_", "rrelu_with_noise_functional"),
        *("scaled_dot_product_attention", "_scaled_dot_product_flash_attention_for_cpu"),
    }
)
_SHARES, _SWITCHES = ("p", "dropout", "dropout_p"), ("train", "training")


def drawing(graph: Mapping[str, Any]) -> list[str]:
    """The operators whose random numbers reach an output of `graph`, sorted.

    What is drawn and not used is none: Hugging Face's wav2vec2 draws a number for each layer that it might drop.
    """
    found: set[str] = set()
    for node in _used(graph):
        if _draws(node):
            found.add(operators.short(node["target"]))
        for entry in node["inputs"]:
            if "as_graph" in entry["arg"]:
                found.update(drawing(entry["arg"]["as_graph"]["graph"]))
    return sorted(found)


def _used(graph: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps that an output may follow from. A step in place may change what others look at."""
    needed, used = set(_names(graph["outputs"])), []
    for node in reversed(graph["nodes"]):
        name = operators.short(node["target"])
        in_place = name.endswith("_") and not name.startswith("_")
        if in_place or needed.intersection(_names(node["outputs"])):
            needed.update(*(_names(entry["arg"]) for entry in node["inputs"]))
            used.append(node)
    return used


def _names(value: Any) -> Iterator[str]:
    """The values that an argument names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("name", "as_name") and isinstance(inner, str):
                yield inner
            yield from _names(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _names(inner)


def _draws(node: Mapping[str, Any]) -> bool:
    name = operators.short(node["target"])
    if name not in TRAINING:
        return name in ALWAYS
    given = {entry.get("name", ""): entry["arg"] for entry in node["inputs"]}
    shares = [given[key] for key in _SHARES if key in given]
    switches = [given[key] for key in _SWITCHES if key in given]
    if any(share in ({"as_float": 0.0}, {"as_int": 0}) for share in shares):
        return False
    return any(switch != {"as_bool": False} for switch in switches) if switches else bool(shares)
