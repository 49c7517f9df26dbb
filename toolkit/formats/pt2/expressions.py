"""Sizes of dynamic axes in a .pt2: torch evaluates them with `eval`, so only this grammar of arithmetic may pass."""

from __future__ import annotations

import ast
import re

#: Names of sizes as torch writes them: ``s0``, ``s73``, ``u2`` (known only at run time), ``zuf0``.
SYMBOL = re.compile(r"(s|u|zuf|zf)\d{1,6}")
_LONGEST, _DEEPEST = 4000, 60
_LARGEST = 2**63
#: A power with a larger exponent would be a number of any size.
_HIGHEST_POWER = 8
_CALLS = frozenset(
    (
        *("Add", "Mul", "Max", "Min", "Mod", "FloorDiv", "PythonMod", "ModularIndexing", "CleanDiv", "CeilDiv"),
        *("CeilToInt", "FloorToInt", "TruncToInt", "RoundToInt", "TruncToFloat", "ToFloat", "IntTrueDiv"),
        *("FloatTrueDiv", "Identity", "Where", "Rational", "And", "Or", "Not", "Equality", "Unequality"),
        *("GreaterThan", "LessThan", "StrictGreaterThan", "StrictLessThan", "Eq", "Ne", "Ge", "Le", "Gt", "Lt"),
        *("floor", "ceiling"),
    )
)
_POWERS = frozenset({"Pow", "PowByNatural"})
_ASSUMED = frozenset(("positive", "nonnegative", "negative", "integer", "real", "finite", "zero", "commutative"))
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Div, ast.Mod)


def check(text: str) -> None:
    """Raise ValueError unless `text` is arithmetic of whole numbers and sizes, and small."""
    _walk(_parse_expression(text), _DEEPEST)


def symbol_of(text: str) -> str:
    """The name of the size, if the checked expression is nothing else; else ""."""
    match _parse_expression(text):
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name)), *_]):
            return name
        case ast.Name(id=name) if SYMBOL.fullmatch(name):
            return name
    return ""


def _parse_expression(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise ValueError(f"an expression of {len(text)} characters")
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError) as exc:
        raise ValueError(f"{text[:60]!r} is no expression") from exc


def _walk(node: ast.expr, depth: int) -> None:
    if not depth:
        raise ValueError("an expression that is nested too deeply")
    match node:
        case ast.Constant(value=bool()):
            return
        case ast.Constant(value=int(number)) if abs(number) < _LARGEST:
            return
        case ast.Name(id=name) if SYMBOL.fullmatch(name) or name in ("true", "false", "oo", "int_oo"):
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _walk(operand, depth - 1)
            return
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _OPERATORS):
            _walk(left, depth - 1)
            _walk(right, depth - 1)
            return
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
            _power(base, exponent, depth)
            return
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
            _call(name, arguments, keywords, depth)
            return
    raise ValueError(f"{ast.unparse(node)[:60]!r}, which is not arithmetic of sizes")


def _call(name: str, arguments: list[ast.expr], keywords: list[ast.keyword], depth: int) -> None:
    if name == "Symbol":
        assumed = all(item.arg in _ASSUMED and _is_flag(item.value) for item in keywords)
        match arguments:
            case [ast.Constant(value=str(text))] if SYMBOL.fullmatch(text) and assumed:
                return
        raise ValueError(f"{ast.unparse(arguments[0])[:60] if arguments else ''!r}, which is no name of a size")
    if keywords:
        raise ValueError(f"{name} with named arguments")
    if name == "Integer":
        match arguments:
            case [ast.Constant(value=int()) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int()))]:
                _walk(arguments[0], depth - 1)
                return
    if name in _POWERS and len(arguments) == 2:
        _power(arguments[0], arguments[1], depth)
        return
    if name not in _CALLS:
        raise ValueError(f"{name[:60]!r}, which is not arithmetic of sizes")
    for argument in arguments:
        _walk(argument, depth - 1)


def _power(base: ast.expr, exponent: ast.expr, depth: int) -> None:
    """A base that is a size or a number, and a small whole exponent: powers of powers have no bound."""
    match exponent:
        case ast.Call(func=ast.Name(id="Integer"), args=[inner]):
            exponent = inner
    if isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub):
        exponent = exponent.operand
    small = isinstance(exponent, ast.Constant) and type(exponent.value) is int and exponent.value <= _HIGHEST_POWER
    nested = any(
        (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow))
        or (isinstance(node, ast.Name) and node.id in _POWERS)
        for node in ast.walk(base)
    )
    if not small or nested:
        raise ValueError("a power that may be of any size")
    _walk(base, depth - 1)


def _is_flag(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)
