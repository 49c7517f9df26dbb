"""Sizes in a .pt2 are evaluated by torch: arithmetic passes, everything else is refused before."""

from __future__ import annotations

import pytest

from edgekit.formats.pt2 import expressions


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s73', positive=True, integer=True)",
        "Add(Symbol('s73', positive=True, integer=True), Integer(-2))",
        "Mul(Integer(112), Max(Integer(1), Add(Symbol('s73', positive=True, integer=True), Integer(-2))))",
        "FloorDiv(Add(Symbol('s0', integer=True), Integer(1)), Integer(2))",
        "Pow(Symbol('s0', positive=True, integer=True), Integer(2))",
        "Equality(Symbol('u0', integer=True), Integer(1))",
        "s0 + 3",
        "16*s0",
        "s0**2",
        "True",
    ],
)
def test_arithmetic_of_sizes_passes(text: str) -> None:
    expressions.check(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Symbol('s0').__class__",
        "Symbol('x; import os')",
        "Symbol('s0', cls=open)",
        "open('/etc/passwd')",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "Integer('9' * 99)",
        "Integer(Symbol('s0'))",
        "Pow(Integer(9), Pow(Integer(9), Integer(9)))",
        "9**9**9",
        "(s0**8)**8",
        "9**(9*9)",
        "factorial(Integer(100000))",
        "Add(*s0)",
        "Add(a=s0)",
        f"{'9' * 40}",
        f"{'-' * 200}1",
        "1 +",
        "'text'",
        f"Add({'1,' * 3000})",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        expressions.check(text)


def test_a_lone_size_is_told_from_an_expression() -> None:
    assert expressions.symbol_of("Symbol('s73', positive=True, integer=True)") == "s73"
    assert expressions.symbol_of("s0") == "s0"
    assert expressions.symbol_of("Add(Symbol('s0', integer=True), Integer(1))") == ""
