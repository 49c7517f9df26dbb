"""A real bundle and its packages, which the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock
from helpers.pages.packages import RUNTIME

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle
from edgekit.targets.web import npm


@pytest.fixture(scope="session")
def words(made_once: Path) -> Bundle:
    """ds-cnn-kws for this machine."""
    out = made_once / "ds-cnn-kws"
    with FileLock(f"{out}.lock"):
        return open_bundle(out if out.is_dir() else edgekit.export("ds-cnn-kws", "laptop", out=out).path)


@pytest.fixture(scope="session")
def package(words: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page's folder with the package in it, whose larger part was cut into shards; beside it one that was not."""
    out = tmp_path_factory.mktemp("packages") / "site" / "words"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(npm, "_SHARD", 20_000)
        out.mkdir(parents=True)
        npm.write(words, out, {**RUNTIME, "name": "@me/words"})
    out.with_name("other").mkdir()
    npm.write(words, out.with_name("other"), RUNTIME)
    (out.parent / "index.html").write_text('<!doctype html><link rel="icon" href="data:,"><title>test</title>')
    return out
