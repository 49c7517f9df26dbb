"""Whatever ends an export early, the earlier bundle is whole and no half one is there."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.bundles import staging
from edgekit.bundles.manifest import decode
from edgekit.bundles.staging import staging_folder
from edgekit.cli.command import run
from edgekit.errors import BadInput, EdgekitError, ExportFailed

STEPS = [
    *(f"pipeline.writing.{name}" for name in ("_assets", "trace", "_licence", "readme", "inventory", "encode")),
    *("pipeline.climbing.prove", "pipeline.proving.part_error"),
    *("pipeline.resolving.read_checkpoint", "pipeline.exporting.key_of"),
    *("bundles.golden.write_input", "bundles.golden.write_reference", "bundles.sbom.render"),
    *("bundles.staging.sweep", "bundles.staging._swap", "estimation.budgets.check_size"),
]


def partials(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def seed(place: Path) -> str:
    """Which export a bundle is of."""
    return str(decode((place / "manifest.json").read_bytes()).key)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "failure, code",
    [(OSError(errno.ENOSPC, "No space left on device"), 4), (KeyboardInterrupt(), 130), (BadInput("x"), 2)],
    ids=["disk full", "interrupt", "refusal"],
)
def test_a_failure_at_any_step_leaves_the_earlier_bundle(
    toy: Any,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: str,
    failure: BaseException,
    code: int,
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise failure

    before = seed(bundle)
    monkeypatch.setattr(f"edgekit.{step}", fail)
    assert run(toy.arguments(bundle, "--precision=int4", "--json")) == code
    out, err = capsys.readouterr()
    if code == 130:
        assert "interrupted; nothing that was there before has been changed" in err
    else:
        assert json.loads(out)["exit_code"] == code
        assert "the disk is full" in err or code == 2
    monkeypatch.undo()
    assert partials(bundle.parent) == []
    monkeypatch.syspath_prepend(str(toy.site))
    edgekit.verify(bundle)
    assert seed(bundle) == before


def test_a_disk_that_fills_up_while_the_exporter_writes(
    toy: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, model: Any, checkpoint: Any, recipe: Any, calibration: Any, out: Path, *more: Any) -> None:
        (out / "half").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(out / "half"))

    monkeypatch.setattr(toy_model.ToyExporter, "export", fail)
    with pytest.raises(ExportFailed, match=r"disk is full at .*half") as caught:
        toy.export(bundle, precision="int4")
    assert caught.value.exit_code == 4
    assert partials(bundle.parent) == []
    edgekit.verify(bundle)


def test_a_limit_on_file_sizes(toy: Any, bundle: Path) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, {resource.RLIM_INFINITY}))\n"
    main = "from edgekit.cli.command import main; main()"
    done = toy.python(limit + main, *toy.arguments(bundle, "--precision=int4", "--json"))
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["error"] == "ExportFailed"
    assert "larger than this disk or this user's limit allows" in done.stderr
    assert "Traceback" not in done.stderr
    assert partials(bundle.parent) == []
    edgekit.verify(bundle)


def test_a_bug_in_an_exporter_is_not_hidden_and_leaves_nothing(
    toy: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy_model.ToyRuntime, "load", lambda self, file, threads: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        toy.export(bundle, precision="int4")
    monkeypatch.undo()
    assert partials(bundle.parent) == []


def test_the_second_rename_fails_and_the_first_is_undone(
    toy: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, before = Path.rename, seed(bundle)

    def fail(self: Path, target: Path) -> Path:
        if target == bundle.resolve() and not self.name.endswith(".old"):
            raise OSError(errno.EIO, "Input/output error", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(EdgekitError):
        toy.export(bundle, precision="int4")
    monkeypatch.undo()
    assert seed(bundle) == before
    assert partials(bundle.parent) == []


# ------------------------------------------------------------------------------------------------------------ signals

#: Exports again and again in one process (one import of torch), each time interrupted after another delay.
INTERRUPTED = """
import json, os, signal, sys, time
from pathlib import Path
from edgekit.cli import run

out, arguments = Path(sys.argv[1]), json.loads(sys.argv[2])
codes, missing = [], 0
run(arguments)  # the first one imports torch
began = time.monotonic()
run([*arguments, "--precision=int4"])
longest = 1.5 * (time.monotonic() - began)
signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
for i in range(40):
    for precision in ("--precision=fp32", "--precision=int8"):
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + i * longest / 40)
        try:
            try:
                codes.append(run([*arguments, precision]))
            finally:  # which the alarm may strike as well
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            codes.append(130)
        missing += not (out / "manifest.json").is_file()
print(json.dumps({"codes": codes, "missing": missing}))
"""


def test_an_interrupt_at_any_moment(toy: Any, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    done = toy.python(INTERRUPTED, str(out), json.dumps(toy.arguments(out)))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["missing"] == 0
    assert set(told["codes"]) <= {0, 130}
    assert told["codes"].count(130) > 10, "the delays must hit unfinished exports"
    edgekit.verify(out)
    toy.export(out, precision="int4")  # that process is gone: what it could not clean up is swept now
    assert partials(tmp_path) == []


def started(toy: Any, out: Path, word: str, *more: str) -> Any:
    """An export in a process of its own that has come to the step that `word` tells of."""
    child = toy.popen(
        "from edgekit.cli.command import main; main()", *toy.arguments(out, *more), env={"TOY_WAIT": "60"}
    )
    for line in child.stderr:
        if word in line:
            return child
    pytest.fail(f"it ended before {word!r}")


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_from_outside(toy: Any, bundle: Path, number: int, code: int) -> None:
    before = seed(bundle)
    child = started(toy, bundle, "waiting", "--precision=int4")
    assert len(partials(bundle.parent)) == 2, "a stage and a folder of intermediates"
    child.send_signal(number)
    _, err = child.communicate(timeout=30)
    assert child.returncode == code
    assert "Traceback" not in err
    assert ("interrupted" in err) == (number == signal.SIGINT)
    assert partials(bundle.parent) == []
    assert seed(bundle) == before


def test_a_killed_export_is_swept_by_the_next_one_and_a_living_one_is_not(toy: Any, bundle: Path) -> None:
    before = seed(bundle)
    killed = started(toy, bundle, "waiting", "--precision=int4")
    living = started(toy, bundle, "waiting", "--precision=int4")
    killed.kill()
    killed.communicate(timeout=30)
    assert len(partials(bundle.parent)) == 4
    assert seed(bundle) == before
    toy.export(bundle, precision="fp32")
    assert len(partials(bundle.parent)) == 2
    living.kill()
    living.communicate(timeout=30)
    toy.export(bundle, precision="int8")
    assert partials(bundle.parent) == []


def test_a_kill_between_the_two_renames_loses_nothing(toy: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = seed(bundle)
    monkeypatch.setattr("os.getpid", lambda: 999999999)
    bundle.rename(bundle.with_name(f".bundle.partial-{staging.owner()}-abc.old"))
    monkeypatch.undo()
    with pytest.raises(BadInput, match="too bad"), staging_folder(bundle):
        raise BadInput("too bad")
    assert seed(bundle) == before
    assert partials(bundle.parent) == []


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("platform.node", lambda: "elsewhere"),
        ("pathlib.Path.readlink", lambda self: "pid:[1]"),
        ("pathlib.Path.read_text", lambda self, encoding: "another boot"),
    ],
    ids=["host", "container", "boot"],
)
def test_a_live_export_elsewhere_is_left_alone_and_what_it_left_goes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, other: Any
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 999999999)  # no process of this number runs here
    monkeypatch.setattr(name, other)
    with staging_folder(tmp_path / "bundle") as stage:
        (stage / "half").write_bytes(b"half")
        monkeypatch.undo()
        with staging_folder(tmp_path / "bundle") as mine:
            assert stage.is_dir()
            assert mine != stage
        left = tmp_path / f"{stage.name}x"
        stage.rename(left)
        for path in (left / "half", left):
            os.utime(path, (1, 1))
        with staging_folder(tmp_path / "other"), staging_folder(tmp_path / "bundle", where=Path):
            assert not left.exists()
        stage.mkdir()


def test_signals_wait_for_the_swap(toy: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.001)
        return moved

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        toy.export(bundle, precision="int4")
    monkeypatch.undo()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert decode((bundle / "manifest.json").read_bytes()).recipe.precision == "int4"
    assert partials(bundle.parent) == []


def test_an_export_works_outside_the_main_thread(toy: Any, bundle: Path) -> None:
    thread = threading.Thread(target=lambda: toy.export(bundle, precision="fp32"))
    thread.start()
    thread.join(30)
    assert decode((bundle / "manifest.json").read_bytes()).recipe.precision == "fp32"
