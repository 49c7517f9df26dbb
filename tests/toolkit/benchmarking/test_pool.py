"""A real scheduler and two real workers on this machine: the same results, a killed worker, a vanished scheduler."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.pages.matrices import plan

from edgekit.benchmarking import matrix, pool
from edgekit.errors import BadInput, DeviceFailed

pytest.importorskip("distributed", reason='pip install "edgekit[pool]"')
pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore")]


class Cluster:
    """Processes of Dask, each with a folder of its own, and no nanny that would start them again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.running = folder, []  # type: ignore[var-annotated]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.scheduler = self._start("scheduler", "--host=127.0.0.1", f"--port={self.port}", "--no-dashboard")

    @property
    def address(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    def worker(self, resources: str = "host=1") -> subprocess.Popen[bytes]:
        options = ("--no-nanny", "--nthreads=1", "--no-dashboard", "--resources", resources)
        return self._start("worker", f"tcp://127.0.0.1:{self.port}", *options)

    def _start(self, kind: str, *options: str) -> subprocess.Popen[bytes]:
        place = self.folder / f"{kind}-{len(self.running)}"
        place.mkdir()
        child = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options],
            cwd=place,
            env=os.environ | {"EDGEKIT_CACHE": str(place / "cache")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.running.append(child)
        return child

    def wait(self, workers: int) -> None:
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{self.port}", timeout=30, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)

    def close(self) -> None:
        for child in self.running:
            child.kill()
            child.wait()


@pytest.fixture
def cluster(toy: Any, tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "dask").mkdir()
    made = Cluster(tmp_path / "dask")
    yield made
    made.close()


def test_the_pool_gives_what_this_machine_gives(cluster: Cluster, toy: Any, tmp_path: Path) -> None:
    cluster.worker()
    cluster.worker()
    cluster.wait(2)
    here = matrix.matrix(plan(toy), tmp_path / "here")
    there = matrix.matrix(plan(toy), tmp_path / "there", workers=cluster.address)
    assert [(c.precision, c.threads, c.outcome) for c in there.cells] == [
        (c.precision, c.threads, c.outcome) for c in here.cells
    ]
    for one, other in zip(here.cells, there.cells, strict=True):
        assert (one.report is None) == (other.report is None)
        if one.report and other.report:
            assert other.worker.startswith("tcp://127.0.0.1:")
            assert one.report.outputs == other.report.outputs and one.report.inputs == other.report.inputs
            assert {item.name for item in one.report.measurements} == {item.name for item in other.report.measurements}
            assert one.report.host["cpu"] == other.report.host["cpu"]


def test_bundles_travel_where_disks_are_not_shared(cluster: Cluster, toy: Any, bundle: Path) -> None:
    from edgekit.bundles.bundle import open_bundle

    task = pool.Task("host", open_bundle(bundle), (str(toy.data / "1.npy"),), 1, 1, plan(toy).limits)
    spec = {"path": str(bundle) + "-elsewhere", "sha256": pool.hash_file(bundle / "manifest.json"), "device": "host"}
    spec |= {"inputs": [["/elsewhere/1.npy", pool.hash_file(toy.data / "1.npy")]], "threads": 1, "processes": 1}
    spec |= {"limits": list(task.limits)}
    assert pool.there(spec, None) is None
    found = pool.there(spec, pool.packed(task))
    assert found is not None and len(found["answers"]) == 1
    assert pool.there(spec, None) is not None, "it is kept"


def test_a_killed_worker_loses_only_its_running_cell(cluster: Cluster, toy: Any, tmp_path: Path) -> None:
    first, second = cluster.worker(), cluster.worker()
    cluster.wait(2)
    finished: list[str] = []

    def kill_one(what: str, done: int, total: int) -> None:
        if what.startswith("measured"):
            finished.append(what)
            if len(finished) == 1:
                first.kill()

    found = matrix.matrix(plan(toy), tmp_path / "work", workers=cluster.address, progress=kill_one)
    assert [cell.outcome for cell in found.cells] == ["measured"] * 4 + ["refused"] * 2
    assert second.poll() is None and first.wait() != 0


def test_a_device_that_nobody_has_is_not_measured(cluster: Cluster, toy: Any, tmp_path: Path) -> None:
    cluster.worker("phone=1")
    cluster.wait(1)
    found = matrix.matrix(plan(toy, precisions=("int8",)), tmp_path / "work", workers=cluster.address)
    assert {cell.outcome for cell in found.cells} == {"not measured"}
    assert "no worker of the pool has the device 'host'" in found.cells[0].reason
    assert "--resources" in found.cells[0].hint


def test_a_scheduler_that_vanishes_is_one_typed_error_and_finished_cells_are_kept(
    cluster: Cluster, toy: Any, tmp_path: Path
) -> None:
    cluster.worker()
    cluster.wait(1)

    def kill(what: str, done: int, total: int) -> None:
        if what.startswith("measured"):
            cluster.scheduler.kill()

    began = time.monotonic()
    with pytest.raises(DeviceFailed, match="vanished"):
        matrix.matrix(plan(toy), tmp_path / "work", workers=cluster.address, progress=kill)
    assert time.monotonic() - began < 120
    assert len(list((tmp_path / "work" / "cells").glob("pool-*.json"))) >= 1


@pytest.mark.parametrize(
    "address", ["localhost:1", "dask://", "dask://x", "tcp://a:1", "dask://a:99999999", "dask://a:b"]
)
def test_what_is_no_pool_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="dask://HOST:PORT"):
        list(pool.measure(address, []))


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_PATIENCE", 1.0)
    with pytest.raises(DeviceFailed, match="no Dask scheduler"):
        list(pool.measure("dask://127.0.0.1:9", []))
