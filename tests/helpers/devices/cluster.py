"""A pool on this machine: a real scheduler of Dask and real workers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


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

    @property
    def traces(self) -> list[Path]:
        """Folders of trials that the workers have not removed."""
        return list(self.folder.glob("*/cache/trials/*"))

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
