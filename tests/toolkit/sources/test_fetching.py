"""`edgekit.sources.fetching`: the cache, and downloads from a web server on this machine that misbehaves."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.pages.server import Site, serving
from helpers.toys.toys import BODY, leftovers, pinned, source

from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources import web
from edgekit.sources.fetching import fetch, user_source
from edgekit.sources.transports import TRANSPORTS, Bounds
from edgekit.sources.transports.contract import Transport


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


def ranges(site: Site) -> list[str | None]:
    return [headers.get("Range") for _, headers in site.requests]


# ------------------------------------------------------------------------------------------------- files and the cache


def test_pieces_are_joined_in_order_and_the_cache_serves_the_next_call(tmp_path: Path, site: Site) -> None:
    site.files = {"/b": BODY[:100], "/a": BODY[100:]}
    uris = (f"{site.url}/b", f"{site.url}/a")
    wanted = source(pinned(*uris, name="deep/w.bin"))
    folder, used = fetch([wanted])
    assert (folder / "deep/w.bin").read_bytes() == BODY
    assert used is wanted
    assert folder.is_relative_to(tmp_path / "cache")
    assert leftovers(tmp_path) == ["w.bin"]
    site.files = {}
    assert fetch([wanted], offline=True)[0] == folder


def test_one_cache_place_serves_mirrors_of_the_same_files(tmp_path: Path, site: Site) -> None:
    folder, _ = fetch([source(pinned(f"{site.url}/w.bin"))])
    assert fetch([source(pinned("https://mirror.invalid/w.bin"))], offline=True)[0] == folder


def test_a_whole_source_in_the_cache_goes_before_a_download(site: Site) -> None:
    site.files["/small"] = b"small"
    cached = source(pinned(f"{site.url}/small", body=b"small"), uri="test://cached")
    fetch([cached])
    site.requests.clear()
    assert fetch([source(pinned(f"{site.url}/w.bin")), cached])[1] is cached
    assert site.requests == []


def test_a_damaged_cached_file_is_fetched_anew_once(site: Site) -> None:
    wanted = source(pinned(f"{site.url}/w.bin"))
    file = fetch([wanted])[0] / "w.bin"
    damaged = bytearray(BODY)
    damaged[1234] ^= 1
    file.write_bytes(damaged)
    assert (fetch([wanted])[0] / "w.bin").read_bytes() == BODY
    assert len(site.requests) == 2
    file.write_bytes(damaged)
    with pytest.raises(FetchFailed, match=r"lacks an undamaged w\.bin"):
        fetch([wanted], offline=True)


def test_a_wrong_hash_is_refused_and_the_next_source_is_tried(tmp_path: Path, site: Site) -> None:
    site.files["/bad.bin"] = bytes(len(BODY))
    bad = source(pinned(f"{site.url}/bad.bin"), uri="test://bad")
    good = source(pinned(f"{site.url}/w.bin"), uri="test://good")
    with pytest.raises(FetchFailed, match=r"test://bad: w\.bin is not the pinned file") as failure:
        fetch([bad])
    assert "edgekit export MODEL --weights PATH" in failure.value.hint
    assert [name for name in leftovers(tmp_path) if not name.endswith(".tag")] == []
    assert [path for path, _ in site.requests] == ["/bad.bin"]
    folder, used = fetch([bad, good])
    assert used is good
    assert (folder / "w.bin").read_bytes() == BODY


def test_every_source_is_named_with_its_reason_and_no_host(site: Site) -> None:
    first = source(pinned(f"{site.url}/none"), uri=f"{site.url.replace('http', 'https')}/none?token=secret")
    second = source(pinned("/no/such/file"), uri="test://second")
    with pytest.raises(FetchFailed) as failure:
        fetch([first, second])
    text = str(failure.value)
    assert "https://.../none: the server answered 404 (Not Found)" in text
    assert "test://second: a path is not a pinned address" in text
    assert "127.0.0.1" not in text
    assert "secret" not in text
    assert len(site.requests) == 1  # 404 is final
    with pytest.raises(FetchFailed, match="there is no source"):
        fetch([])


def test_the_size_is_checked_too(site: Site) -> None:
    right = pinned(f"{site.url}/w.bin")
    for wrong in (replace(right, size=len(BODY) + 1), replace(right, size=len(BODY) - 1)):
        with pytest.raises(FetchFailed, match=r"is not the pinned file|more than the 299999 bytes"):
            fetch([source(wrong)])
    fetch([source(right)])
    far = replace(right, size=len(BODY) + 1, pieces=("https://host.invalid/w",))
    with pytest.raises(FetchFailed, match="undamaged"):
        fetch([source(far)], offline=True)


@pytest.mark.parametrize("name", ["../w", "/w", "a/../w", "a//w", "./w", "C:w", "a\\w", "w\0", "w\n", "", ".."])
def test_names_that_leave_the_cache_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="file name"):
        fetch([source(pinned("https://host.invalid/w", name=name))])
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_offline_says_what_is_missing(site: Site, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    if by == "environment":
        monkeypatch.setenv("EDGEKIT_OFFLINE", "1")
    with pytest.raises(FetchFailed, match=r"offline, and the cache lacks an undamaged w\.bin") as failure:
        fetch([source(pinned(f"{site.url}/w.bin"))], offline=by == "argument")
    assert "with a connection" in failure.value.hint
    assert site.requests == []


def test_an_unpinned_file_is_held_to_what_it_was_at_first_sight(site: Site) -> None:
    wanted = user_source(f"{site.url}/w.bin")
    assert isinstance(wanted, Source)
    file = fetch([wanted])[0] / "w.bin"
    assert fetch([wanted], offline=True)[0] == file.parent
    file.write_bytes(b"damaged")
    with pytest.raises(FetchFailed, match="undamaged"):
        fetch([wanted], offline=True)
    assert (fetch([wanted])[0] / "w.bin").read_bytes() == BODY


def test_progress_ends_at_the_whole(site: Site) -> None:
    calls: list[tuple[str, int, int]] = []
    fetch([source(pinned(f"{site.url}/w.bin"))], progress=lambda *call: calls.append(call))
    assert [call for call in calls if call[0] == "fetching w.bin"][-1] == ("fetching w.bin", len(BODY), len(BODY))
    assert calls[-1] == ("checking w.bin", len(BODY), len(BODY))


# ---------------------------------------------------------------------------------------------------------------- http


@pytest.mark.parametrize(("honoured", "tags"), [(True, True), (True, False), (False, True)])
def test_a_broken_download_is_continued(site: Site, honoured: bool, tags: bool) -> None:
    site.breaks, site.ranges, site.tags = [100_000, 50_000], honoured, tags
    folder, _ = fetch([source(pinned(f"{site.url}/w.bin"))])
    assert (folder / "w.bin").read_bytes() == BODY
    assert ranges(site) == [None, "bytes=100000-", "bytes=150000-" if honoured else "bytes=50000-"]
    assert bool(site.requests[1][1].get("If-Range")) == tags


def test_an_unpinned_download_without_a_tag_starts_over(site: Site) -> None:
    site.breaks, site.tags = [100_000], False
    wanted = user_source(f"{site.url}/w.bin")
    assert isinstance(wanted, Source)
    assert (fetch([wanted])[0] / "w.bin").read_bytes() == BODY
    assert ranges(site) == [None, None]


def test_a_file_that_changed_meanwhile_is_not_mixed(site: Site) -> None:
    site.files["/w.bin"], site.breaks = bytes(len(BODY)), [100_000, 0, 0, 0, 0]
    wanted = source(pinned(f"{site.url}/w.bin"))
    with pytest.raises(FetchFailed, match="4 times in a row; what has arrived is kept"):
        fetch([wanted])
    site.files["/w.bin"] = BODY
    assert (fetch([wanted])[0] / "w.bin").read_bytes() == BODY


def test_a_damaged_partial_costs_one_clean_download(tmp_path: Path, site: Site) -> None:
    site.breaks = [100_000, 0, 0, 0, 0]
    wanted = source(pinned(f"{site.url}/w.bin"))
    with pytest.raises(FetchFailed):
        fetch([wanted])
    (partial,) = (path for path in (tmp_path / "cache").rglob("*.partial") if path.is_file())
    assert partial.read_bytes() == BODY[:100_000]
    partial.write_bytes(bytes(100_000))
    site.requests.clear()
    assert (fetch([wanted])[0] / "w.bin").read_bytes() == BODY
    assert ranges(site) == ["bytes=100000-", None]


@pytest.mark.parametrize("lengths", [True, False])
def test_a_server_that_sends_too_much_is_cut_off(tmp_path: Path, site: Site, lengths: bool) -> None:
    site.files["/w.bin"], site.lengths = bytes(30_000_000), lengths
    told: list[int] = []
    with pytest.raises(FetchFailed, match="sends more than the 300000 bytes"):
        fetch([source(pinned(f"{site.url}/w.bin"))], progress=lambda what, done, total: told.append(done))
    assert site.sent < 20_000_000
    assert max(told, default=0) <= (0 if lengths else 300_000)  # a length that is told is believed at once
    assert [name for name in leftovers(tmp_path) if not name.endswith(".tag")] == []


def test_passing_errors_are_tried_again_a_few_times(site: Site) -> None:
    site.status["/w.bin"] = 503
    with pytest.raises(FetchFailed, match="503"):
        fetch([source(pinned(f"{site.url}/w.bin"))])
    assert len(site.requests) == web.RETRIES


def test_a_part_of_a_file_and_a_server_that_sends_whole_ones_only(site: Site) -> None:
    assert web.part(f"{site.url}/w.bin", 1000, 10) == (BODY[1000:1010], len(BODY))
    site.ranges = False
    with pytest.raises(FetchFailed, match="whole files only"):
        web.part(f"{site.url}/w.bin", 1000, 10)


def test_a_server_that_is_gone_has_a_reason(site: Site) -> None:
    with serving(Site()) as other:
        gone = other.url
    with pytest.raises(FetchFailed, match="connection refused"):
        fetch([source(pinned(f"{gone}/w.bin"))])


@pytest.mark.parametrize("target", ["http://198.51.100.1/w.bin", "ftp://127.0.0.1/w.bin"])
@pytest.mark.parametrize("how", ["direct", "redirect"])
def test_only_https_leaves_this_machine(site: Site, target: str, how: str) -> None:
    site.redirects["/moved"] = target
    with pytest.raises(FetchFailed, match=r"only https:// is accepted|is not a kind of address"):
        fetch([source(pinned(target if how == "direct" else f"{site.url}/moved"))])


# ----------------------------------------------------------------------------------------------------------- processes

CHILD = """
import sys
import threading
from pathlib import Path
from edgekit.core import Source, SourceFile
from edgekit.sources import fetch
url, sha, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
print(fetch([Source("test://", "1", "MIT", (SourceFile("w.bin", sha, size, (url,)),))],
            progress=lambda what, done, total: print(what, flush=True))[0])
"""


def child(site: Site) -> subprocess.Popen[str]:
    file = pinned(f"{site.url}/w.bin")
    command = [sys.executable, "-W", "error", "-c", CHILD, file.pieces[0], str(file.sha256), str(file.size)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def first_word(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().partition(" ")[0]


def test_two_processes_fetch_once(site: Site) -> None:
    site.gate = threading.Event()
    with child(site) as one:
        assert first_word(one) == "fetching"
        with child(site) as two:
            assert first_word(two) == "waiting"
            site.gate.set()
            answers = [process.communicate(timeout=30) for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], answers
    assert len(site.requests) == 1
    assert answers[0][0].splitlines()[-1] == answers[1][0].splitlines()[-1]


def test_ctrl_c_leaves_a_partial_that_the_next_call_continues(tmp_path: Path, site: Site) -> None:
    site.gate = threading.Event()
    with child(site) as process:
        assert first_word(process) == "fetching"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    site.gate.set()
    assert [Path(name).suffix for name in leftovers(tmp_path)] == [".partial", ".tag"]
    assert (fetch([source(pinned(f"{site.url}/w.bin"))])[0] / "w.bin").read_bytes() == BODY
    start = int(str(ranges(site)[1]).removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 1 << 14
    assert leftovers(tmp_path) == ["w.bin"]


def test_a_disk_that_is_full_is_no_network_failure(site: Site) -> None:
    wanted = source(pinned(f"{site.url}/w.bin"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            fetch([wanted])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(site.requests) == 1
    assert (fetch([wanted])[0] / "w.bin").read_bytes() == BODY
    assert ranges(site)[1] == "bytes=100000-"


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, edgekit.sources, edgekit.formats.checkpoint; print([m for m in sys.modules if m in sys.argv])"
    heavy = ["numpy", "torch", "safetensors", "huggingface_hub", "filelock", "platformdirs"]
    assert subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True).stdout.strip() == "[]"


# --------------------------------------------------------------------------------------------------------------- names


def test_what_weights_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m x.pt").write_bytes(b"x")
    assert user_source("~/m x.pt") == user_source((tmp_path / "m x.pt").as_uri()) == tmp_path / "m x.pt"
    with pytest.raises(BadInput, match="no file or folder"):
        user_source("~/none")
    single = user_source("https://host.invalid/a/base.pt?x=1")
    assert isinstance(single, Source)
    assert single.files == (SourceFile("base.pt", None, None, ("https://host.invalid/a/base.pt?x=1",)),)
    member = user_source("pypi://toy-weights@1.0/toy/w.bin")
    assert isinstance(member, Source)
    assert (member.revision, member.files[0].name) == ("1.0", "w.bin")
    malformed = ("https://host.invalid/a b", "https://host.invalid/\u00e4", "https://[/x", "http://198.51.100.1/x")
    for bad in (*malformed, "https://host.invalid/", "https://host.invalid/a%2F..%2Fb%5C"):
        with pytest.raises(BadInput):
            user_source(bad)


def test_the_mtime_of_a_verified_file_is_left_alone(site: Site) -> None:
    wanted = source(pinned(f"{site.url}/w.bin"))
    file = fetch([wanted])[0] / "w.bin"
    os.utime(file, (time.time() - 1000,) * 2)
    before = file.stat().st_mtime_ns
    fetch([wanted])
    assert file.stat().st_mtime_ns == before


def test_a_new_scheme_is_one_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Backwards(Transport):
        """Files spelt backwards, which says so halfway the first time."""

        schemes, form, tries = ("reversed",), "reversed://PATH", 0

        @classmethod
        def source(cls, address: str, cache: Path, offline: bool) -> Source:
            return Source(address, "1", "unknown", (SourceFile("w.bin", None, None, (address,)),))

        def get(self, piece: str, out: Path, bounds: Bounds) -> None:
            out.write_bytes(Path(piece.removeprefix("reversed://")).read_bytes()[::-1])
            assert not self._folder.exists(), "it is the transport's to make"
            if Backwards.tries == 0:
                Backwards.tries = 1
                raise FetchFailed("half of it is there")

    monkeypatch.setattr("edgekit.sources.transports.TRANSPORTS", {**TRANSPORTS, "reversed": Backwards})
    (tmp_path / "file").write_bytes(BODY[::-1])
    found = user_source(f"reversed://{tmp_path / 'file'}")
    assert isinstance(found, Source)
    with pytest.raises(FetchFailed, match="half of it is there"):
        fetch([found])
    assert leftovers(tmp_path) == [], "what does not resume leaves nothing"
    folder, _ = fetch([found])
    assert (folder / "w.bin").read_bytes() == BODY
    with pytest.raises(BadInput) as caught:
        user_source(str(tmp_path / "absent"))
    assert "reversed://PATH" in caught.value.hint and "npm://NAME@VERSION/path" in caught.value.hint
