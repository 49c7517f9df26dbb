"""The manifest comes from outside: what is not exactly what `encode` wrote is refused, whatever it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from helpers.toys.toys import damage
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundles.manifest import (
    SCHEMA,
    Agreement,
    Attempt,
    Evidence,
    File,
    Golden,
    Manifest,
    ModelFacts,
    PartFacts,
    RecipeFacts,
    SourceFacts,
    TargetFacts,
    Tensor,
    Verdict,
    decode,
    encode,
)
from edgekit.errors import BadInput, install_command

text = st.text(st.characters(codec="utf-8"), max_size=8)
# In JSON, 1.0 and 1 are the same number to some readers, and 2**70 is none to others.
value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
facts = st.dictionaries(text, value, max_size=3)
name = st.from_regex(r"[a-z]{1,4}(/[a-zé ]{1,4}){0,2}", fullmatch=True)
recipe = st.builds(RecipeFacts, exporter=text, precision=text, options=facts)
tensor = st.builds(Tensor, name=text, dtype=text, shape=st.lists(st.integers(0, 9) | text, max_size=3))
number = st.none() | st.floats(allow_nan=False, allow_infinity=False)
manifests = st.builds(
    Manifest,
    schema=st.just(SCHEMA),
    edgekit=text,
    key=text,
    model=st.builds(ModelFacts, name=text, family=text, task=text, parameters=st.integers(0, 2**40)),
    source=st.builds(
        SourceFacts, uri=text, revision=text, format=text, pinned=st.booleans(), files=st.just({"a": "b"})
    ),
    target=st.builds(
        TargetFacts, name=text, system=text, processor=text, runtime=st.dictionaries(text, text, max_size=2)
    ),
    recipe=recipe,
    parts=st.lists(
        st.builds(
            PartFacts,
            name=text,
            file=name,
            inputs=st.lists(tensor, max_size=2),
            outputs=st.lists(tensor, max_size=2),
            census=facts,
            parity=st.floats(0, 1),
        ),
        max_size=2,
    ),
    facts=facts,
    golden=st.builds(Golden, input=name, reference=name, output=text, reference_output=text),
    gate=st.builds(
        Verdict,
        verdict=st.sampled_from(["pass", "undecided"]),
        reason=text,
        value=number,
        low=number,
        basis=st.sampled_from([(), ("bar",), ("bar", "loss", "interval")]),
    ),
    evidence=st.none()
    | st.builds(
        Evidence,
        agreement=st.builds(Agreement, verdict=st.sampled_from(["pass", "not measured"]), reason=text, low=number),
        name=text,
        samples=st.dictionaries(name, text, max_size=2),
        answers=name,
    ),
    attempts=st.lists(st.builds(Attempt, recipe=recipe, outcome=text), max_size=2),
    licences=st.dictionaries(text, text, max_size=2),
    versions=st.dictionaries(text, text, max_size=2),
    files=st.dictionaries(name, st.builds(File, sha256=text, size=st.integers(0, 2**50)), max_size=3),
)


@given(manifests)
def test_what_is_written_comes_back(manifest: Manifest) -> None:
    data = encode(manifest)
    back = decode(data)
    assert msgspec.structs.replace(back, digest="") == manifest
    assert encode(back) == data


@given(manifests, st.data())
@settings(max_examples=300)
def test_damage_is_refused_or_changes_nothing(manifest: Manifest, draw: st.DataObject) -> None:
    data = encode(manifest)
    broken = damage(data, draw)
    if broken == data:
        return
    with pytest.raises(BadInput):
        decode(broken)


@given(st.binary(max_size=60) | value.map(lambda v: json.dumps(v).encode()))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        decode(data)


@pytest.fixture
def whole(bundle: Path) -> dict[str, Any]:
    """The parsed manifest of a real bundle."""
    parsed: dict[str, Any] = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    return parsed


def signed(raw: dict[str, Any]) -> bytes:
    """As a forger would write it: with a digest that fits."""
    return encode(msgspec.convert(raw, Manifest))


def written(raw: Any) -> bytes:
    return json.dumps(raw, indent=1, ensure_ascii=False).encode() + b"\n"


def test_a_newer_schema_says_to_upgrade(whole: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=rf"schema {SCHEMA + 1}") as caught:
        decode(written({"schema": SCHEMA + 1, "whatever": []}))
    assert install_command("", "--upgrade") in caught.value.hint


def test_a_manifest_of_schema_2_is_read_as_it_was_written() -> None:
    data = (Path(__file__).parents[2] / "golden" / "manifest-schema-2.json").read_bytes()
    manifest = decode(data)
    assert (manifest.schema, manifest.gate.verdict, manifest.gate.basis, manifest.evidence) == (2, "pass", (), None)
    assert encode(manifest) == data
    raw = json.loads(data)
    for later in ({**raw, "evidence": None}, {**raw, "gate": {**raw["gate"], "basis": []}}):
        with pytest.raises(BadInput, match="changed"):  # nobody wrote such a one
            decode(written(later))


@pytest.mark.parametrize("schema", [0, 1, -1, True, "1", 1.5, None])
def test_a_schema_that_never_was(whole: dict[str, Any], schema: Any) -> None:
    with pytest.raises(BadInput):
        decode(signed({**whole, "schema": schema}) if type(schema) is int else written({**whole, "schema": schema}))


@pytest.mark.parametrize("path", [(), ("model",), ("parts", 0), ("golden",), ("gate",), ("attempts", 0, "recipe")])
def test_an_unknown_field_is_refused_everywhere(whole: dict[str, Any], path: tuple[Any, ...]) -> None:
    inner: Any = whole
    for step in path:
        inner = inner[step]
    inner["surprise"] = 1
    with pytest.raises(BadInput, match="surprise"):
        decode(written(whole))


@pytest.mark.parametrize("field", Manifest.__struct_fields__)
def test_a_field_of_another_type_or_absent_is_refused(whole: dict[str, Any], field: str) -> None:
    for wrong in ({**whole, field: 3.5}, {k: v for k, v in whole.items() if k != field}):
        with pytest.raises(BadInput):
            decode(written(wrong))


HOSTILE = [
    *("", ".", "..", "../x", "a/../../x", "/etc/passwd", "//host/share", "a//b", "a/", "./a", "a/."),
    *("C:x", "C:/x", "C:\\x", "..\\x", "a\\b", "a\0b", "a\nb", "\x1b[31mred", "a\x7f"),
]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("where", ["files", "part", "input", "reference", "answers"])
def test_a_name_that_leaves_the_bundle_is_refused(whole: dict[str, Any], where: str, hostile: str) -> None:
    if where == "files":
        whole["files"][hostile] = {"sha256": "0" * 64, "size": 0}
    elif where == "part":
        whole["parts"][0]["file"] = hostile
    elif where == "answers":
        agreement = {"verdict": "pass", "reason": ""}
        whole["evidence"] = {"agreement": agreement, "samples": {}, "answers": hostile or "."}  # "": there are none
    else:
        whole["golden"][where] = hostile
    with pytest.raises(BadInput, match="not inside it") as caught:
        decode(signed(whole))
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("plain", ["a", "a/b.c", "..a", "a..b", "é ü", "-x"])
def test_a_plain_name_is_accepted(whole: dict[str, Any], plain: str) -> None:
    whole["files"][plain] = {"sha256": "0" * 64, "size": 0}
    assert plain in decode(signed(whole)).files


@pytest.mark.parametrize("old, new", [(b": ", b":  "), (b"\n ", b"\r\n "), (b'"key"', b'"\\u006bey"')])
def test_other_bytes_of_the_same_meaning_are_refused(whole: dict[str, Any], old: bytes, new: bytes) -> None:
    data = signed(whole)
    assert json.loads(data.replace(old, new, 1)) == json.loads(data)
    with pytest.raises(BadInput, match="changed"):
        decode(data.replace(old, new, 1))


def test_a_key_given_twice_is_refused(whole: dict[str, Any]) -> None:
    data = signed(whole)
    with pytest.raises(BadInput, match="'edgekit' is there twice"):
        decode(data.replace(b'{\n "schema"', b'{\n "edgekit": "0",\n "schema"', 1))


def test_an_edit_without_the_digest_is_refused(whole: dict[str, Any]) -> None:
    whole["gate"]["verdict"] = "pass"
    with pytest.raises(BadInput, match="digest does not match"):
        decode(written(whole))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"[]", b"null", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b'{"schema": 1e999}', b'{"schema": NaN}'),
        b"[" * 200_000,
        b'{"schema": 1, "facts": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"schema": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_manifest_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        decode(data)


def test_facts_nested_deeply_are_refused_not_fatal(whole: dict[str, Any]) -> None:
    data = signed({**whole, "facts": {"x": 0}})
    for depth in (300, 700, 3_000):
        nested = data.replace(b'"x": 0', b'"x": ' + b"[" * depth + b"]" * depth)
        with pytest.raises(BadInput):
            decode(nested)


def test_a_value_that_json_does_not_have_is_our_own_mistake(whole: dict[str, Any]) -> None:
    manifest = msgspec.convert({**whole, "facts": {"x": float("nan")}}, Manifest)
    with pytest.raises(ValueError, match="JSON"):
        encode(manifest)
