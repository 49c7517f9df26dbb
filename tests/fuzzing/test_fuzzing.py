"""The table of readers that are fuzzed: each takes its seeds, and holds where they are cut or changed."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import pytest
from fuzzing import structure
from fuzzing.targets import TARGETS

from edgekit.errors import EdgekitError, boundary


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_takes_its_seeds_and_holds_where_they_are_damaged(name: str, tmp_path: Path) -> None:
    target, rng = TARGETS[name], random.Random(name)
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / target.file
    made = list(target.seeds(tmp_path))
    assert made
    for content in made:
        file.write_bytes(target.packed(content))
        target.read(file)
    for content in rng.choices(made, k=20):
        with contextlib.suppress(ValueError):
            file.write_bytes(target.packed(_damaged(content, rng, target.json)))
        with contextlib.suppress(EdgekitError), boundary():
            target.read(file)


def _damaged(content: bytes, rng: random.Random, is_json: bool) -> bytes:
    if is_json:
        return structure.changed(content, 1 << 20, rng.randrange(1 << 30), lambda data, most: _flipped(data, rng))
    return content[: rng.randrange(len(content))] if rng.random() < 0.5 else _flipped(content, rng)


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(3):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def test_changes_of_structure_stay_json_and_are_the_same_every_time() -> None:
    content = json.dumps({"a": [1, 2.5, "x", None, True], "b": {"c": {}}}).encode()
    made = [structure.changed(content, 1000, seed, lambda data, most: b"other") for seed in range(300)]
    assert made == [structure.changed(content, 1000, seed, lambda data, most: b"other") for seed in range(300)]
    assert len(set(made)) > 200 and 0 < made.count(b"other") < 100
    assert all(json.loads(text) is not content for text in made if text != b"other")
