"""The search on a pool: a real scheduler and real workers on this machine, beside the same search without them."""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.devices.cluster import Cluster
from helpers.toys import toy_model

import edgekit
from edgekit.bench.machine import host
from edgekit.cli.command import run
from edgekit.errors import BadInput, DeviceFailed
from edgekit.gate import frontier
from edgekit.gate.frontier import Point
from edgekit.pipeline.search import remote
from edgekit.pool import client

pytest.importorskip("distributed", reason="make .venv/.wheel")
pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda **how: monkeypatch.setenv("TOY_SPOIL", json.dumps(how))


@pytest.fixture
def cluster(toy: Any, tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "dask").mkdir()
    made = Cluster(tmp_path / "dask")
    yield made
    made.close()


class Watch:
    """Progress of a search; calls `act` when a step begins with `word`, the first time."""

    def __init__(self, word: str = "", act: Any = None) -> None:
        self.steps: list[str] = []
        self._word, self._act = word, act

    def __call__(self, what: str, done: int, total: int) -> None:
        self.steps.append(what)
        if self._act is not None and what.startswith(self._word):
            act, self._act = self._act, None
            act()

    def of(self, word: str) -> list[str]:
        """The recipes of the steps that begin with `word`."""
        return [step.split()[1] for step in self.steps if step.startswith(word)]


def points(bundle: Path) -> list[Point]:
    """The points of a bundle, without times."""
    saved = frontier.load(bundle)
    assert saved is not None
    return [replace(point, seconds=None) for point in saved[1]]


def search(toy: Any, out: Path, cluster: Cluster, **options: Any) -> edgekit.core.Bundle:
    made: edgekit.core.Bundle = toy.export(out, precision="auto", data=toy.data, workers=cluster.address, **options)
    return made


def test_the_pool_finds_what_this_machine_finds(cluster: Cluster, toy: Any, tmp_path: Path, spoil: Any) -> None:
    spoil(int4="noise")
    cluster.worker()
    cluster.worker()
    cluster.wait(2)
    here = toy.export(tmp_path / "here", precision="auto", data=toy.data)
    watch = Watch()
    there = search(toy, tmp_path / "there", cluster, progress=watch)
    assert there.manifest.recipe == here.manifest.recipe and there.manifest.recipe.precision == "int8"
    assert points(there.path) == points(here.path)
    assert [point.verdict for point in points(there.path)].count("not tried") == 1
    assert "tcp://127.0.0.1" in next(step for step in watch.steps if step.startswith("tried"))
    measured = frontier.load(there.path)
    assert measured and {point.seconds is not None for point in measured[1] if point.verdict == "pass"} == {True}
    assert cluster.traces == [] and not list(tmp_path.glob("*.search.json"))
    edgekit.verify(there.path)


def searched_while_a_worker_dies(
    cluster: Cluster, toy: Any, out: Path, seconds: str, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """The bundle of a search whose trials take at least so long, the first worker of which is killed in its first."""
    monkeypatch.setenv("TOY_WAIT", seconds)
    first = cluster.worker()
    cluster.worker()
    cluster.wait(2)
    monkeypatch.delenv("TOY_WAIT")
    watch = Watch("trying", lambda: threading.Timer(2.0, first.kill).start())
    made = search(toy, out, cluster, progress=watch)
    assert first.wait() != 0
    return made


def test_a_killed_worker_costs_nothing_but_time(
    cluster: Cluster, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = searched_while_a_worker_dies(cluster, toy, tmp_path / "there", "2", monkeypatch)
    _wait(lambda: cluster.traces == [])  # the killed worker's process has noticed, and removed its folder
    assert points(there.path) == points(toy.export(tmp_path / "here", precision="auto", data=toy.data).path)


def test_a_trial_that_workers_die_of_is_a_failed_point(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    (tmp_path / "dask").mkdir()
    cluster = Cluster(tmp_path / "dask")
    try:
        made = searched_while_a_worker_dies(cluster, toy, tmp_path / "b", "4", monkeypatch)
    finally:
        cluster.close()
    found = {point.verdict: point for point in points(made.path)}
    assert "no worker could try it: 1 workers died of it" in found["fail"].reason
    assert found["pass"].recipe == made.manifest.recipe.precision != found["fail"].recipe


def test_a_crash_in_a_trial_is_a_failed_point(cluster: Cluster, toy: Any, tmp_path: Path, spoil: Any) -> None:
    spoil(int8="crash", int4="noise")
    cluster.worker()
    cluster.wait(1)
    made = search(toy, tmp_path / "b", cluster)
    found = {point.recipe: point for point in points(made.path)}
    assert made.manifest.recipe.precision == "fp32" and found["fp32"].verdict == "pass"
    assert found["int8"].verdict == "fail" and "ended with signal 6" in found["int8"].reason


def test_what_an_interrupted_search_has_measured_is_kept(
    cluster: Cluster, toy: Any, tmp_path: Path, spoil: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(int8="noise", int4="noise")

    def interrupt() -> None:
        raise KeyboardInterrupt

    cluster.worker()
    cluster.wait(1)
    with pytest.raises(KeyboardInterrupt):
        search(toy, tmp_path / "b", cluster, progress=(first := Watch("tried", interrupt)))
    kept = set(json.loads((tmp_path / "b.search.json").read_text())["points"])
    assert kept == set(first.of("tried")) and len(kept) == 1
    _wait(lambda: cluster.traces == [])
    search(toy, tmp_path / "b", cluster, progress=(second := Watch()))
    assert set(second.of("trying")).isdisjoint(kept) and "fp32" in second.of("tried")


def _wait(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_another_version_is_refused(
    cluster: Cluster, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.worker()
    cluster.wait(1)
    own = edgekit.__version__
    monkeypatch.setattr(edgekit, "__version__", "99.0")
    with pytest.raises(DeviceFailed, match=rf"tcp://.* it has edgekit {own}, and the search is of 99\.0") as caught:
        search(toy, tmp_path / "b", cluster)
    assert "edgekit 99.0 on every machine" in caught.value.hint
    assert not (tmp_path / "b").exists()


def test_a_worker_without_edgekit(cluster: Cluster, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that is here alone stands for a package that is."""
    cluster.worker()
    cluster.wait(1)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "only_here.py").write_text("def there(spec, payload):\n    return None\n")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    monkeypatch.setattr(remote, "there", importlib.import_module("only_here").there)
    with pytest.raises(DeviceFailed, match=r"lacks this edgekit \(only_here is not there\)") as caught:
        search(toy, tmp_path / "b", cluster)
    assert "pip install" in caught.value.hint


def test_other_packages_are_refused(
    cluster: Cluster, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.worker()
    cluster.wait(1)
    monkeypatch.setattr(toy_model.EXPORTER, "distributions", ("numpy", "pytest"))
    with pytest.raises(DeviceFailed, match=r"packages are of other versions: .*pytest"):
        search(toy, tmp_path / "b", cluster)


def test_a_limit_of_latency_is_for_machines_like_this_one(
    cluster: Cluster, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.worker()
    cluster.wait(1)
    own = host.describe()
    monkeypatch.setattr(host, "describe", lambda: {**own, "cpu": "another"})
    with pytest.raises(DeviceFailed, match=r"its processor is another one \(cpu: .*, not another\)"):
        search(toy, tmp_path / "b", cluster, limits=edgekit.Limits(latency=1.0))
    made = search(toy, tmp_path / "b", cluster)
    saved = frontier.load(made.path)
    assert saved and {point.seconds for point in saved[1]} == {None}, "no time of another processor stands here"


@pytest.mark.parametrize("who, words", [("worker", "has no worker left"), ("scheduler", "has vanished")])
def test_a_pool_that_is_gone(
    cluster: Cluster, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str, words: str
) -> None:
    monkeypatch.setattr(client, "GRACE", 2.0)
    monkeypatch.setenv("TOY_WAIT", "2")
    parts = {"worker": cluster.worker(), "scheduler": cluster.scheduler}
    cluster.wait(1)
    with pytest.raises(DeviceFailed, match=words) as caught:
        search(toy, tmp_path / "b", cluster, progress=Watch("trying", parts[who].kill))
    assert "repeat the command" in caught.value.hint


def test_workers_without_the_device(cluster: Cluster, toy: Any, tmp_path: Path) -> None:
    cluster.worker("phone=1")
    cluster.wait(1)
    with pytest.raises(DeviceFailed, match=r"no worker of the pool .* has the device 'host'") as caught:
        search(toy, tmp_path / "b", cluster, progress=(watch := Watch()))
    assert "--resources" in caught.value.hint
    assert not watch.steps or not any(step.startswith("running the fp32") for step in watch.steps)


def test_no_scheduler(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do_json: Any) -> None:
    monkeypatch.setattr(client, "PATIENCE", 1.0)
    words = toy.arguments(tmp_path / "b", f"--data={toy.data}", "--precision=auto", "--workers=dask://127.0.0.1:9")
    code, error = do_json(*words)
    assert code == 8 and "no Dask scheduler at dask://127.0.0.1:9" in error["message"]


@pytest.mark.parametrize(
    "wish, word",
    [
        ({"workers": "dask://127.0.0.1:9"}, "--workers is for a search"),
        ({"workers": "dask://127.0.0.1:9", "precision": "int8"}, "--workers is for a search"),
        ({"workers": "localhost", "precision": "auto"}, "is no pool"),
    ],
)
def test_bad_wishes(toy: Any, tmp_path: Path, wish: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        toy.export(tmp_path / "b", data=toy.data, **wish)
    assert run(toy.arguments(tmp_path / "b", *(f"--{name}={value}" for name, value in wish.items()))) == 2
