"""Answers that keep to a JSON schema: what a grammar allows is valid; what it cannot hold is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import absent
from helpers.cases.gguf_files import llama_file

from edgekit.errors import BadInput
from edgekit.llama import library
from edgekit.llama.grammar import grammar_of
from edgekit.registry import find

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer"},
        "kind": {"enum": ["cat", "dog"]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 3},
        "born": {"$ref": "#/$defs/day"},
    },
    "required": ["name", "kind", "born"],
    "$defs": {"day": {"type": "string", "format": "date"}},
}
SCHEMAS: dict[str, Any] = {
    "person": PERSON,
    "choice": {"anyOf": [{"type": "boolean"}, {"type": "null"}, {"const": [1, 2]}]},
    "pairs": {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "integer"}]},
    "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    "text": {"type": "string"},
    "file": {"type": "string", "pattern": "^[a-z]+\\.(txt|md)$"},
    "free": {"properties": {"a b": {"type": "number"}, "a-b": {"type": ["string", "null"]}}, "required": ["a-b"]},
}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Random weights and a token a byte: what comes out is noise, but for the grammar."""
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    return find("runtimes", "llama-cpp").load(llama_file(tmp_path_factory.mktemp("tiny") / "tiny.gguf"), 2)


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.5, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 7}])
def test_noise_becomes_a_valid_answer(runner: Any, name: str, sampling: dict[str, Any]) -> None:
    import jsonschema  # here, as its import takes seconds and every run imports this file to look for tests

    tokens = list(runner.generate(runner.tokenize("hello"), most=1000, schema=SCHEMAS[name], **sampling))
    # Bytes of noise are no UTF-8, and what is put in their place would count as characters.
    answer = json.loads(runner.detokenize(tokens).decode("utf-8", "ignore"))
    jsonschema.validate(answer, SCHEMAS[name])
    assert tokens == list(runner.generate(runner.tokenize("hello"), most=1000, schema=SCHEMAS[name], **sampling))


def test_without_a_schema_noise_stays_noise(runner: Any) -> None:
    tokens = list(runner.generate(runner.tokenize("hello"), most=40))
    with pytest.raises(ValueError):
        json.loads(runner.detokenize(tokens).decode("utf-8", "replace"))


@pytest.mark.parametrize(
    "schema, why",
    [
        ({"type": "integer", "minimum": 3}, "#, says 'minimum', which a grammar cannot hold"),
        ({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}, "itself"),
        ({"type": "string", "pattern": "[a-z]+"}, "begins with"),
        ({"type": "string", "pattern": "^a.b$"}, "whose '.'"),
        ({"type": "string", "pattern": "^[^a]$"}, "whose '[^'"),
        ({"type": "string", "pattern": "^\\\\d$"}, "a grammar cannot hold"),
        ({"type": "string", "format": "email"}, "format 'email'"),
        ({"properties": {"a": {"type": "text"}}}, "at #/properties/a, has the type 'text'"),
        ({"type": "array", "items": {"$ref": "other.json"}}, "outside of the schema"),
        ({"type": "array", "items": {"$ref": "#/$defs/no"}}, "which is not there"),
        ({"type": "string", "maxLength": -1}, "no whole number"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "minLength above its maxLength"),
        ({"anyOf": [{"type": "null"}], "properties": {}}, "choice beside other details"),
        ({"properties": {"a": {"type": "null"}}, "required": ["b"]}, "does not describe"),
        ({"anyOf": []}, "list of schemas"),
        ({"enum": []}, "without values"),
        ({}, "says nothing of its type"),
        ([], "is an object, not list"),
    ],
)
def test_a_schema_that_no_grammar_holds(schema: Any, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        grammar_of(schema)
    assert why in f"{caught.value.message} {caught.value.hint}"
    assert "\n" not in caught.value.message


@pytest.mark.usefixtures("runner")
def test_a_pattern_that_llama_cpp_refuses() -> None:
    with pytest.raises(BadInput, match="cannot become a grammar"):
        grammar_of({"type": "string", "pattern": "^(?=a)b$"})


def test_a_file_with_a_schema(tmp_path: Path) -> None:
    from edgekit.tasks.text_generation.writer import schema_of

    file = tmp_path / "person.json"
    file.write_text(json.dumps(PERSON))
    assert schema_of(file) == PERSON and schema_of(PERSON) is PERSON and schema_of(None) is None
    for content, why in (("{", "is not JSON"), ("[]", "no JSON schema")):
        file.write_text(content)
        with pytest.raises(BadInput, match=why):
            schema_of(str(file))
    with pytest.raises(BadInput, match="there is no file"):
        schema_of(tmp_path / "nothing.json")
