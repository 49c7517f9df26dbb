"""What `list` says, and what it keeps: the second answer imports no entry, and a changed file makes it anew."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgekit
from edgekit.catalogue import list_
from edgekit.registry import ROOMS, names

_ASK = """
import json, sys
from edgekit.catalogue import list_
rooms = list_()
entries = [name for name in sys.modules if name.startswith(("edgekit.models.", "edgekit.core"))]
print(json.dumps([rooms, entries]))
"""


def ask(cache: Path, place: Path | None = None) -> tuple[dict[str, list[dict[str, str]]], list[str]]:
    """What `list_` gives in a process of its own, and the modules of entries that it imported."""
    there = {"PYTHONPATH": str(place)} if place else {}
    environment = {**os.environ, "EDGEKIT_CACHE": str(cache), "PYTHONDONTWRITEBYTECODE": "1", **there}
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=True, env=environment)
    rooms, entries = json.loads(done.stdout)
    return rooms, entries


def test_every_entry_is_listed() -> None:
    assert {room: [next(iter(entry.values())) for entry in entries] for room, entries in list_().items()} == {
        room: names(room) for room in ROOMS
    }


def test_the_second_answer_is_the_first_and_imports_no_entry(tmp_path: Path) -> None:
    first, imported = ask(tmp_path)
    assert any(name.startswith("edgekit.models.") for name in imported)
    second, imported = ask(tmp_path)
    assert second == first
    assert not imported


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(Path(edgekit.__file__).parent, copy / "edgekit", ignore=shutil.ignore_patterns("__pycache__"))
    before, _ = ask(tmp_path / "cache", copy)
    aliases = copy / "edgekit" / "models" / "aliases.toml"
    aliases.write_text(aliases.read_text(encoding="utf-8").replace("Apache-2.0", "Apache-9.9"), encoding="utf-8")
    after, _ = ask(tmp_path / "cache", copy)
    assert [entry["licence"] for entry in after["models"]] != [entry["licence"] for entry in before["models"]]
    assert any(entry["licence"] == "Apache-9.9" for entry in after["models"])


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"key": "of another edgekit", "rooms": {}}', b"\x00\xff"])
def test_a_spoilt_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    (tmp_path / "catalogue.json").write_bytes(content)
    assert len(list_("models")["models"]) == len(names("models"))
    assert json.loads((tmp_path / "catalogue.json").read_bytes())["rooms"]["models"]


def test_a_cache_that_cannot_be_written_spoils_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "file"))
    assert list_("targets")["targets"]
