"""``hf://``: against a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.pages.server import Site, serving
from helpers.toys.toys import BODY, pinned, source

from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput, FetchFailed, MissingExtra, install_command
from edgekit.sources import web
from edgekit.sources.fetching import fetch, user_source


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(files={"/w.bin": BODY})) as site:
        yield site


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No waiting between attempts, a cache of the test's own, no setting of this machine."""
    monkeypatch.setattr(web, "WAIT", 0.0)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    for name in ("EDGEKIT_OFFLINE", "EDGEKIT_MIRROR", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


COMMIT = "c" * 40


@pytest.fixture
def hub(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_secret")
    return listing(site, {"model.safetensors": BODY, "config.json": b"{}", "README.md": b"no"})


def listing(site: Site, files: dict[str, bytes]) -> Site:
    siblings = []
    for name, body in files.items():
        site.files[f"/o/r/resolve/{COMMIT}/{name}"] = body
        lfs = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "pointerSize": 1}
        siblings.append({"rfilename": name, "size": len(body)} | ({"lfs": lfs} if len(body) > 1000 else {}))
    answer = {"id": "o/r", "sha": COMMIT, "siblings": siblings, "cardData": {"license": "mit"}}
    site.files["/api/models/o/r"] = site.files["/api/models/o/r/revision/v1"] = json.dumps(answer).encode()
    return site


def test_a_hub_repository(hub: Site) -> None:
    wanted = user_source("hf://o/r")
    assert isinstance(wanted, Source)
    assert (wanted.revision, wanted.licence) == (COMMIT, "mit")
    weights, config = wanted.files
    assert weights == pinned(f"hf://o/r@{COMMIT}/model.safetensors", name="model.safetensors")
    assert config == SourceFile("config.json", None, None, (f"hf://o/r@{COMMIT}/config.json",))
    folder, _ = fetch([wanted])
    assert (folder / "model.safetensors").read_bytes() == BODY
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    asked = len(hub.requests)
    again = user_source("hf://o/r", offline=True)
    assert again == wanted
    assert fetch([again], offline=True)[0] == folder
    assert len(hub.requests) == asked
    with pytest.raises(FetchFailed, match="never been listed"):
        user_source("hf://o/other", offline=True)
    assert user_source("hf://o/r@v1") == wanted


@pytest.mark.parametrize(("host", "token"), [("localhost", None), ("127.0.0.1", "Bearer hf_secret")])
def test_a_token_stays_with_its_host(hub: Site, host: str, token: str | None) -> None:
    path = f"/o/r/resolve/{COMMIT}/config.json"
    hub.files["/elsewhere"] = hub.files.pop(path)
    hub.redirects[path] = f"{hub.url.replace('127.0.0.1', host)}/elsewhere"
    fetch([source(SourceFile("config.json", None, None, (f"hf://o/r@{COMMIT}/config.json",)))])
    assert [(path, headers.get("Authorization")) for path, headers in hub.requests] == [
        (path, "Bearer hf_secret"),
        ("/elsewhere", token),
    ]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (
            {"model.safetensors.index.json": b"{}", "model-00001-of-00001.safetensors": b"x", "tokenizer.json": b"{}"},
            ["model.safetensors.index.json", "model-00001-of-00001.safetensors", "tokenizer.json"],
        ),
        ({"model.bin": b"x", "pytorch_model.bin": b"y", "config.json": b"{}"}, ["model.bin", "config.json"]),
    ],
)
def test_which_files_of_a_repository_matter(hub: Site, files: dict[str, bytes], names: list[str]) -> None:
    listing(hub, files)
    wanted = user_source("hf://o/r")
    assert isinstance(wanted, Source)
    assert [file.name for file in wanted.files] == names


def test_hub_answers_that_help_nobody(hub: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    listing(hub, {"flax_model.msgpack": b"x"})
    with pytest.raises(BadInput, match="no weights that can be read"):
        user_source("hf://o/r")
    hub.status[f"/o/r/resolve/{COMMIT}/gated"] = 403
    with pytest.raises(FetchFailed, match="hf auth login"):
        fetch([source(pinned(f"hf://o/r@{COMMIT}/gated"))])
    with pytest.raises(FetchFailed, match="hf://o/none") as failure:
        user_source("hf://o/none")
    assert "127.0.0.1" not in str(failure.value)
    with pytest.raises(BadInput, match="hf://OWNER/REPO"):
        user_source("hf://o")


def test_a_missing_hub_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match=re.escape(install_command("hub"))):
        user_source("hf://o/r")
    with pytest.raises(FetchFailed, match=re.escape(install_command("hub"))):
        fetch([source(pinned(f"hf://o/r@{COMMIT}/x"))])
