"""The toy package, installed for a test, and a bundle made with it once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.cli.command import run
from edgekit.core import Bundle, Measurement, Report
from edgekit.reports.report import save

#: What was on the path before any test changed it.
PATH = os.environ.get("PYTHONPATH")


@dataclass(frozen=True)
class Toy:
    """Where the toy's things are, and ways to use them in this process and in one of its own."""

    site: Path
    weights: Path
    data: Path
    close: Path

    @property
    def path(self) -> str:
        """What another process needs on its path."""
        folders = [str(self.site), str(Path(toy_model.__file__).parents[2]), *filter(None, [PATH])]
        return os.pathsep.join(folders)

    def export(self, out: Path, **options: Any) -> Bundle:
        """`edgekit.export` of the toy; arguments of the call win over these."""
        chosen: dict[str, Any] = {"target": "toy-board", "weights": str(self.weights), "out": out, **options}
        return edgekit.export("toy-speller", **chosen)

    def arguments(self, out: Path, *more: str) -> list[str]:
        """The same as a command line."""
        return ["export", "toy-speller", "--target=toy-board", f"--weights={self.weights}", f"--out={out}", *more]

    def popen(self, code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Python code in a fresh interpreter that sees the toy."""
        environment = {**os.environ, "PYTHONPATH": self.path, **options.pop("env", {})}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, **pipes)

    def python(self, code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`popen`, waited for."""
        with self.popen(code, *arguments, **options) as child:
            out, err = child.communicate(timeout=300)
        return subprocess.CompletedProcess(child.args, child.returncode, out, err)

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The `edgekit` command in a process of its own."""
        return self.python("from edgekit.cli.command import main; main()", *arguments, **options)


@pytest.fixture(scope="session")
def _toy_files(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    folder = tmp_path_factory.mktemp("toy")
    return Toy(
        toy_model.install(folder / "site"),
        toy_model.write_weights(folder / "weights"),
        toy_model.write_data(folder / "data"),
        toy_model.write_data(folder / "close", close=True),
    )


@pytest.fixture
def toy(_toy_files: Toy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Toy:
    """The toy package, installed while the test runs, and an empty cache."""
    monkeypatch.syspath_prepend(str(_toy_files.site))
    monkeypatch.setenv("PYTHONPATH", _toy_files.path)  # for the processes of `bench`
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    for name in ("TOY_SPOIL", "EDGEKIT_OFFLINE", "EDGEKIT_MIRROR", "EDGEKIT_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return _toy_files


@pytest.fixture(scope="session")
def _toy_bundle(_toy_files: Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_toy_files.site))
        return _toy_files.export(tmp_path_factory.mktemp("made") / "bundle").path


@pytest.fixture
def bundle(toy: Toy, _toy_bundle: Path, tmp_path: Path) -> Path:
    """A copy of a bundle of the toy, for the test to damage."""
    return Path(shutil.copytree(_toy_bundle, tmp_path / "bundle"))


@pytest.fixture
def signal(toy: Toy) -> str:
    """A file that the toy takes."""
    return str(toy.data / "0.npy")


@pytest.fixture
def do(toy: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line: (exit code, standard output, standard error)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def do_json(do: Any) -> Any:
    """The same with ``--json``: (exit code, the one document)."""

    def call(*arguments: object) -> tuple[int, Any]:
        code, out, _ = do(*arguments, "--json")
        return code, json.loads(out)

    return call


@pytest.fixture
def report(tmp_path: Path) -> Any:
    """Writes a report whose end-to-end latency is as given; returns the file."""

    def write(name: str, latency: float) -> Path:
        values = tuple(tuple(latency * (1 + 0.001 * i) for i in range(10)) for _ in range(3))
        host = {"cpu": "a", "architecture": "b", "cores": 1, "affinity": 1, "quota": None, "memory": 1, "system": "c"}
        bundle = {"name": f"[bold]{name}[/bold]"}
        made = Report(
            1,
            bundle,
            "host",
            host,
            {},
            [{"name": "x", "sha256": "0"}],
            1,
            (Measurement("end_to_end.latency", "s", values),),
        )
        save(made, tmp_path / name)
        return tmp_path / name

    return write
