"""Hints name the command that fits how this copy was installed; never the name that is another project's."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgekit.bench.machine import host
from edgekit.errors import DISTRIBUTION, MissingExtra, install_command, need

ROOT = Path(__file__).parents[2]
#: How pip, uv and friends name a distribution that they install.
STRANGER = re.compile(
    r"""\bedgekit\[[a-z]                                     # an extra of it
    | pkg:pypi/edgekit\b(?!-)                              # a purl
    | \bedgekit\ ?(?:==|>=|~=|@\ )                         # a requirement
    | \b(?:pip|pipx|uv\ tool)\ install\b[^\n|&;]*?[ \t"']edgekit(?![-\w./])
    | \b(?:uvx|pipx\ run)\ ["']?edgekit(?![-\w./])""",
    re.VERBOSE,
)


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        ({"url": "file:///home/me/edge%20kit", "dir_info": {}}, 'pip install "/home/me/edge kit[run]"'),
        (
            {"url": "file:///home/me/edgekit", "dir_info": {"editable": True}},
            'pip install --editable "/home/me/edgekit[run]"',
        ),
        (
            {"url": "file:///tmp/e-1-py3-none-any.whl", "archive_info": {}},
            'pip install "/tmp/e-1-py3-none-any.whl[run]"',
        ),
        (
            {"url": "https://git.example/e", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            'pip install "edgekit-ml[run] @ git+https://git.example/e@abc"',
        ),
        (
            {"url": "https://host.example/e.whl", "archive_info": {}},
            'pip install "edgekit-ml[run] @ https://host.example/e.whl"',
        ),
        (None, 'pip install "edgekit-ml[run]"'),
    ],
    ids=["folder", "editable", "wheel", "repository", "address", "index"],
)
def test_the_command_fits_the_installation(origin: Any, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            return json.dumps(origin) if origin and name == "direct_url.json" else None

    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: {DISTRIBUTION: Installed()}[name])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert install_command("run") == command
    with pytest.raises(MissingExtra) as caught, need("run", "a test"):
        raise ImportError("x")
    assert command in caught.value.hint
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert install_command("run") == f"uv {command}"


def test_a_copy_that_was_not_installed_names_the_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", nothing)
    assert install_command("", "--upgrade").endswith('install --upgrade "edgekit-ml"')


def test_reports_find_its_version() -> None:
    assert host.versions(("edgekit",)) == {"edgekit": importlib.metadata.version("edgekit-ml")}


def test_no_file_names_the_stranger() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    wrong = []
    for path in (ROOT / name for name in filter(None, listed.split("\0"))):
        if path.name == "CHANGELOG.md" or path == Path(__file__) or not path.is_file():
            continue  # what was
        text = path.read_bytes().decode("utf-8", "ignore")
        wrong += [f"{path.relative_to(ROOT)}: {found[0]}" for found in STRANGER.finditer(text)]
    assert not wrong


@pytest.mark.parametrize(
    "text",
    [
        *(
            'pip install "edgekit[run]"',
            "pip install -U edgekit",
            "uvx edgekit list",
            "pkg:pypi/edgekit@1",
            "edgekit==1",
        ),
        *("pipx install edgekit", "pip install --upgrade 'edgekit'", "edgekit @ file:///x"),
    ],
)
def test_the_search_finds(text: str) -> None:
    assert STRANGER.search(text)
    assert not STRANGER.search(text.replace("edgekit", "edgekit-ml"))
