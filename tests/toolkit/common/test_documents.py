"""JSON from outside: what is refused, and that real files pass."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit.common.documents import parse_json, read_json, read_table
from edgekit.errors import BadInput


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"[" * 10_000 + b"]" * 10_000, "nested more than 200 deep"),
        (b'{"a":' * 201 + b"1" + b"}" * 201, "nested more than 200 deep"),
        (b"[NaN]", "NaN is no finite number"),
        (b"[-Infinity]", "Infinity is no finite number"),
        (b"[1e999]", "1e999 is no finite number"),
        (b"9" * 10_000, "10000 characters"),
        (b"0." + b"9" * 10_000, "10002 characters"),
        (b'{"a": 1, "a": 2}', "'a' is there twice"),
        (b'["\\ud800"]', "no text"),
        (b'["\xff"]', "no text"),
        (b"", "Expecting value"),
        (b"[1] 2", "Extra data"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_breaks_a_limit_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=f"x.json is not JSON that can be read: .*{reason}"):
        parse_json(data, "x.json")


def test_what_keeps_the_limits_is_read() -> None:
    assert parse_json(b"[" * 200 + b"]" * 200, "x") is not None
    assert parse_json(b'{"model_max_length": 1000000000000000019884624838656}', "x")["model_max_length"] > 10**29
    assert parse_json('["\\ud83d\\ude00", 0.5, -3, null]', "x") == ["\U0001f600", 0.5, -3, None]


@pytest.mark.parametrize("data", [b'{"a": "x"}', b'{"a": {"b": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}"])
def test_another_type_is_refused(data: bytes) -> None:
    assert parse_json(b'{"a": 1}', "x", dict[str, int]) == {"a": 1}
    with pytest.raises(BadInput, match="x is not JSON that can be read"):
        parse_json(data, "x", dict[str, int])


def test_a_file_is_plain_and_of_a_size(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("[1, 2]")
    assert read_json(file, 6) == [1, 2]
    with pytest.raises(BadInput, match="6 bytes; at most 5 are read"):
        read_json(file, 5)
    with pytest.raises(BadInput, match="holds no JSON object"):
        read_table(file)
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path, tmp_path / "none", tmp_path / "pipe"):
        with pytest.raises(BadInput):
            read_json(other)
