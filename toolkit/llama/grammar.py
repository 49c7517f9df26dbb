"""A JSON schema as a grammar in llama.cpp's form (GBNF), by the converter that comes with its Python bindings.

The converter leaves out in silence what it does not know, and fails on what it cannot do. So a schema is checked first:
an answer that the grammar allows is one that the schema allows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.core import Facts, Json
from edgekit.errors import BadInput
from edgekit.llama import library

#: The rule that a grammar starts with.
ROOT = "root"
#: A string without ``maxLength`` and a list without ``maxItems`` end after so many: small models may go on for ever.
_CHARACTERS, _ITEMS = 200, 32
#: Most characters of a schema, and how deep it may be.
_LARGEST, _DEEPEST = 100_000, 32
#: The converter's characters of a string, among them those that JSON wants escaped; and without them.
_ANY, _PLAIN = '[^"\\\\]', '[^"\\\\\\x7F\\x00-\\x1F]'
#: What a pattern may not have: it would let an answer leave its string (a dot, a negated set, a quote, a backslash).
_OPEN = re.compile(r'(?<!\\)\.|\[\^|"|\\(?![.|()\[\]{}*+?/-])')
#: Escapes that the converter hands on as they are, and the grammar does not know.
_ESCAPED = re.compile(r"\\([./-])")
_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}
_FORMATS = {"date", "time", "date-time", "uuid"}
#: Keywords that a grammar holds, and those that say nothing of an answer.
_HELD = {
    *("type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems"),
    *("enum", "const", "anyOf", "oneOf", "$ref", "minLength", "maxLength", "pattern", "format"),
}
#: A choice stands alone (``oneOf`` counts as ``anyOf``), and so do several types.
_CHOICES = {"anyOf", "oneOf", "enum", "const"}
_DETAILS = {"properties", "items", "prefixItems", "minItems", "maxItems", "minLength", "maxLength", "pattern", "format"}
_SILENT = {"title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs", "definitions"}


def grammar_of(schema: Facts) -> str:
    """The grammar of the JSON texts that `schema` allows; strings without a bound have at most 200 characters, lists 32
    entries.

    Raises:
        BadInput: no schema, or of a kind that a grammar cannot hold: recursion, numbers with bounds, a pattern that is
            not anchored; with the place in the schema.
        MissingExtra: llama.cpp is not installed.
    """
    if not isinstance(schema, Mapping):
        raise BadInput(f"a JSON schema is an object, not {type(schema).__name__}.")
    if len(json.dumps(schema)) > _LARGEST:
        raise BadInput(f"the schema has more than {_LARGEST} characters.")
    bounded = _bound_schema(schema, schema, "#", ())
    convert = library.schema_converter()
    try:
        grammar = convert(json.dumps(bounded))
    except (AssertionError, LookupError, ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise _schema_error("#", f"cannot become a grammar: {exc}") from exc
    return grammar.replace(_ANY, _PLAIN)


def _bound_schema(schema: Any, whole: Facts, place: str, inside: tuple[str, ...]) -> dict[str, Json]:
    """A copy of a part of `whole` in which references are replaced, and strings and lists have bounds.

    Args:
        place: of the part. inside: the references that led to it.
    """
    if not isinstance(schema, Mapping):
        raise _schema_error(place, f"is {json.dumps(schema)[:40]}, not an object")
    if place.count("/") > _DEEPEST:
        raise _schema_error(place, "is too deep")
    if "$ref" in schema:
        name = str(schema["$ref"])
        if name in inside:
            raise _schema_error(place, f"refers to itself ({name}), and a grammar of that has no end")
        return _bound_schema(_target(name, whole, place), whole, place, (*inside, name))
    _check(schema, place)
    copy = {key: value for key, value in schema.items() if key in _HELD}
    if "pattern" in copy:
        copy["pattern"] = _ESCAPED.sub(r"[\1]", copy["pattern"])
    for key in ("anyOf", "oneOf", "prefixItems"):
        if key in copy:
            copy[key] = [_bound_schema(p, whole, f"{place}/{key}/{i}", inside) for i, p in _parts(copy[key], place)]
    if copy.get("additionalProperties") is True:
        copy["additionalProperties"] = False  # narrower: a name and value of any kind would have no end
    if "properties" in copy:
        named = copy["properties"]
        if not isinstance(named, Mapping):
            raise _schema_error(place, "has properties that are no object")
        copy["properties"] = {k: _bound_schema(v, whole, f"{place}/properties/{k}", inside) for k, v in named.items()}
        copy.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(copy.get(key), Mapping):
            copy[key] = _bound_schema(copy[key], whole, f"{place}/{key}", inside)
    if copy.get("type") == "string" and not copy.keys() & {"enum", "const", "pattern", "format"}:
        copy.setdefault("maxLength", max(_CHARACTERS, copy.get("minLength", 0)))
    if "items" in copy:
        copy.setdefault("maxItems", max(_ITEMS, copy.get("minItems", 0)))
    return copy


def _parts(listed: Any, place: str) -> Iterator[tuple[int, Any]]:
    if not isinstance(listed, list) or not listed:
        raise _schema_error(place, "needs a list of schemas")
    yield from enumerate(listed)


def _check(schema: Mapping[str, Any], place: str) -> None:
    """Raises BadInput for what the grammar would not hold."""
    for key in schema:
        if key not in _HELD | _SILENT:
            raise _schema_error(
                place, f"says {key!r}, which a grammar cannot hold", "Leave it out, and check it afterwards."
            )
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if unknown := [kind for kind in kinds if kind not in _TYPES]:
        raise _schema_error(place, f"has the type {unknown[0]!r}", f"Types: {', '.join(sorted(_TYPES))}.")
    if schema.keys() & _CHOICES and schema.keys() & _DETAILS:
        raise _schema_error(place, "has a choice beside other details", "Put the details into each part of the choice.")
    if len(kinds) > 1 and schema.keys() & _DETAILS:
        raise _schema_error(place, "has several types with details", "Write it with anyOf.")
    if "format" in schema and schema["format"] not in _FORMATS:
        raise _schema_error(place, f"has the format {schema['format']!r}", f"Formats: {', '.join(sorted(_FORMATS))}.")
    if any(not _count(schema[key]) for key in ("minItems", "maxItems", "minLength", "maxLength") if key in schema):
        raise _schema_error(place, "has a length that is no whole number from 0 to 1000")
    for some, all_ in (("minItems", "maxItems"), ("minLength", "maxLength")):
        if schema.get(some, 0) > schema.get(all_, 1000):
            raise _schema_error(place, f"has a {some} above its {all_}")
    pattern = schema.get("pattern")
    if pattern is not None and not (isinstance(pattern, str) and pattern[:1] == "^" and pattern[-1:] == "$"):
        raise _schema_error(place, f"has the pattern {pattern!r}", 'A pattern begins with "^" and ends with "$".')
    if pattern is not None and (hole := _OPEN.search(pattern)):
        raise _schema_error(place, f"has the pattern {pattern!r}, whose {hole[0]!r} a grammar cannot hold")
    if "enum" in schema and not (isinstance(schema["enum"], list) and schema["enum"]):
        raise _schema_error(place, "has an enum without values")
    names = schema.get("properties", {})
    if isinstance(names, Mapping) and not set(schema.get("required", [])) <= names.keys():
        raise _schema_error(place, "requires a property that it does not describe")
    if not schema.keys() & {"type", "enum", "const", "anyOf", "oneOf", "properties", "items", "prefixItems"}:
        raise _schema_error(place, "says nothing of its type")


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000


def _target(name: str, whole: Facts, place: str) -> Any:
    """What a reference names: a place in the same schema."""
    if not name.startswith("#/"):
        raise _schema_error(place, f"refers to {name!r}, outside of the schema", "Put it under $defs.")
    target: Any = whole
    for piece in name[2:].split("/"):
        if not isinstance(target, Mapping) or piece not in target:
            raise _schema_error(place, f"refers to {name!r}, which is not there")
        target = target[piece]
    return target


def _schema_error(place: str, why: str, hint: str = "") -> BadInput:
    return BadInput(f"the schema, at {place}, {why}.", hint=hint)
