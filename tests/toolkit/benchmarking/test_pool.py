"""A real scheduler and two real workers on this machine: the same results, a killed worker, a vanished scheduler."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.devices.cluster import Cluster
from helpers.pages.matrices import plan

from edgekit.benchmarking import matrix, pool
from edgekit.errors import BadInput, DeviceFailed
from edgekit.pool import client

pytest.importorskip("distributed", reason="make .venv/.wheel")
pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore")]


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


def test_bundles_travel_where_disks_are_not_shared(toy: Any, bundle: Path, tmp_path: Path) -> None:
    from edgekit.bundles.bundle import open_bundle

    copy = Path(shutil.copytree(bundle, tmp_path / "gone" / "bundle"))
    sent = pool.Task("host", open_bundle(copy), (str(toy.data / "1.npy"),), 1, 1, plan(toy).limits).worker_task()
    payload = sent.pack()
    shutil.rmtree(copy)
    assert pool.there(sent.spec, None) is None
    found = pool.there(sent.spec, payload)
    assert found is not None and len(found["answers"]) == 1
    assert pool.there(sent.spec, None) is not None, "it is kept"


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
    monkeypatch.setattr(client, "PATIENCE", 1.0)
    with pytest.raises(DeviceFailed, match="no Dask scheduler"):
        list(pool.measure("dask://127.0.0.1:9", []))
