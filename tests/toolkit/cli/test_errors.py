"""The command line: errors, exit codes, and what is printed where."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.cli import verbs as verbs_module
from edgekit.cli.command import run
from edgekit.cli.grammar import parser
from edgekit.cli.options import option
from edgekit.common.files import cache_folder
from edgekit.errors import BadInput, EdgekitError

# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "arguments, error, code",
    [
        (["fit", "wisper-base"], "UnknownName", 2),
        (["fit", "whisper-base", "--target=androd"], "UnknownName", 2),
        (["fit", "whisper-base", "--precision=int3"], "Unsupported", 2),
        (["export", "toy-speller", "--weights=/nowhere"], "BadInput", 2),
        (["export", "toy-speller", "--weights=hf://nonsense"], "BadInput", 2),
        (["export", "toy-speller", "--offline"], "FetchFailed", 3),
        (["export", "toy-speller", "--data=/nowhere"], "BadInput", 2),
        (["verify", "/nowhere"], "BadInput", 2),
        (["run", "/nowhere", "x"], "BadInput", 2),
        (["run", "BUNDLE", "x", "-o", "loud"], "BadInput", 2),
        (["run", "BUNDLE", "x", "-o", "=1"], "BadInput", 2),
        (["bench", "/nowhere"], "BadInput", 2),
        (["bench", "BUNDLE", "--input", "/nowhere"], "BadInput", 2),
        (["bench", "BUNDLE", "--device=pixel"], "Unsupported", 2),
        (["bench", "BUNDLE", "--seconds=-1"], "BadInput", 2),
        (["bench", "BUNDLE", "--out", "BUNDLE"], "BadInput", 2),
        (["bench", "BUNDLE", "--out", "BUNDLE/labels.txt/r.json"], "BadInput", 2),
        (["bench", "BUNDLE", "--input", "BUNDLE/labels.txt", "--processes=1"], "BadInput", 2),
        (["bench", "BUNDLE", "--threads=9999"], "BadInput", 2),
        (["bench", "BUNDLE", "--vs=BUNDLE", "--threads=9999"], "BadInput", 2),
        (["run", "BUNDLE", "BUNDLE/golden/input.txt", "--threads=9999"], "BadInput", 2),
        (["package", "BUNDLE", "--as=msi"], "Unsupported", 2),
        (["package", "BUNDLE", "--as=zip", "--out=BUNDLE/x"], "BadInput", 2),
        (["compare", "/nowhere", "/nowhere"], "BadInput", 2),
        (["report", "BUNDLE/manifest.json"], "BadInput", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_are_one_document_and_an_exit_code(
    do: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [argument.replace("BUNDLE", str(bundle)) for argument in arguments]
    found, out, err = do(*arguments, "--json")
    assert found == code, err
    told = json.loads(out)
    assert told["error"] == error and told["exit_code"] == code and told["message"]
    assert told["message"] in err and "Traceback" not in err
    found, out, err = do(*arguments)
    assert (found, out) == (code, "") and f"edgekit: {told['message']}" in err


@pytest.mark.parametrize("kind", EdgekitError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_error_ends_with_its_code(
    do_json: Any, monkeypatch: pytest.MonkeyPatch, kind: type[EdgekitError]
) -> None:
    def fail(arguments: object) -> None:
        raise kind("what", hint="how")

    monkeypatch.setattr(verbs_module, "doctor_", fail)
    facts = {"error": kind.__name__, "message": "what", "hint": "how", "exit_code": kind.exit_code}
    assert do_json("doctor") == (kind.exit_code, facts)
    monkeypatch.setenv("EDGEKIT_DEBUG", "1")
    with pytest.raises(kind):
        run(["doctor"])


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["nonsense"],
            ["list", "--nonsense"],
            ["list", "bundles"],
            ["package", "x"],
            ["--json", "list"],
        ),
        *(["bench", "x", "--threads=0"], ["bench", "x", "--loops=many"], ["compare", "x"], ["fit"], ["export"]),
    ],
    ids=" ".join,
)
def test_a_line_that_is_not_understood_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and "usage: edgekit" in err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--version"], ["--help"], ["export", "--help"]):
        with pytest.raises(SystemExit) as caught:
            run(arguments)
        assert caught.value.code == 0
    assert edgekit.__version__ in capsys.readouterr().out


def test_every_verb_is_carried_out_and_takes_json() -> None:
    verbs = next(action for action in parser()._actions if action.dest == "verb")
    assert isinstance(verbs.choices, dict)
    for name, one in verbs.choices.items():
        assert callable(getattr(verbs_module, f"{name}_"))
        assert "--json" in one.format_help(), name


@pytest.mark.parametrize(
    "text, value",
    [
        *(("a=true", True), ("a=5", 5), ("a=[0, 0.5]", [0, 0.5]), ("a=en", "en"), ("a=", ""), ("a=b=c", "b=c")),
        *(('a="5"', "5"), ("a=null", None), ("a=ü", "ü")),
    ],
)
def test_options_are_json_where_they_can_be(text: str, value: object) -> None:
    assert option(text) == ("a", value)


@pytest.mark.parametrize("text", ["", "a", "=", "=1"])
def test_options_without_a_name_are_bad_input(text: str) -> None:
    with pytest.raises(BadInput, match="NAME=VALUE"):
        option(text)


# ---------------------------------------------------------------------------------------------- in a process of its own


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["doctor"], ["run", "BUNDLE", "SIGNAL"]], ids=" ".join
)
def test_a_closed_pipe_ends_quietly(toy: Any, bundle: Path, signal: str, arguments: list[str]) -> None:
    arguments = [argument.replace("BUNDLE", str(bundle)).replace("SIGNAL", signal) for argument in arguments]
    reading, writing = os.pipe()
    os.close(reading)
    buffered = {"PYTHONUNBUFFERED": ""}  # as users have it: small outputs leave at the very end
    child = toy.popen("from edgekit.cli.command import main; main()", *arguments, stdout=writing, env=buffered)
    os.close(writing)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")


_SHELL = "edgekit() { PYTHON -c 'from edgekit.cli.command import main; main()' \"$@\"; }; "


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes files otherwise there")
@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("run BUNDLE - <&-", 2, "edgekit: standard input is closed."),
        ("run BUNDLE <&-", 2, "edgekit: there is no input."),
        ("list models >&-", 2, "edgekit: standard output is closed."),
        ("run BUNDLE SIGNAL 2>&-", 0, ""),
        ("list models > /dev/full", 4, "edgekit: standard output cannot be written: No space left on device."),
        ("--completions fish > /dev/full", 4, "edgekit: standard output cannot be written: No space left on device."),
        ("--help > /dev/full", 4, "edgekit: standard output cannot be written: No space left on device."),
        ("list models --json > /dev/full", 4, "edgekit: standard output cannot be written: No space left on device."),
        ("fit nosuch --json > /dev/full", 2, "edgekit: there is no model named 'nosuch'."),
    ],
)
def test_streams_that_are_closed_or_full(toy: Any, bundle: Path, signal: str, line: str, code: int, told: str) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    typed = line.replace("BUNDLE", shlex.quote(str(bundle))).replace("SIGNAL", shlex.quote(signal))
    environment = {**os.environ, "PYTHONPATH": toy.path, "PYTHONUNBUFFERED": ""}
    shell = _SHELL.replace("PYTHON", shlex.quote(sys.executable)) + f"edgekit {typed}"
    child = subprocess.run(["sh", "-c", shell], env=environment, capture_output=True, text=True, timeout=60)
    assert child.returncode == code and child.stderr.startswith(told), child.stderr
    assert "Traceback" not in child.stderr and "EDGEKIT_CACHE" not in child.stderr
    assert child.stderr.count("edgekit: ") == bool(told)


def test_a_cache_that_cannot_be_used_names_its_setting(
    do_json: Any, do: Any, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "file" / "cache"))

    def fail(arguments: object) -> None:
        (cache_folder() / "sources").mkdir(parents=True)

    monkeypatch.setattr(verbs_module, "doctor_", fail)
    code, error = do_json("doctor")
    assert code == 2 and "EDGEKIT_CACHE=FOLDER" in error["hint"] and "file/cache" in error["hint"]
    assert "EDGEKIT_CACHE" not in do("verify", tmp_path / "nowhere")[2]


def test_names_that_no_encoding_holds(toy: Any, bundle: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(bytes(tmp_path / "odd") + b"\xff\xc3\xa9.npy")
    shutil.copy(toy.data / "0.npy", odd)
    for encoding in ("ascii", "utf-8"):
        for more in ([], ["--json"]):
            done = toy.command("run", str(bundle), odd, odd, *more, env={"PYTHONIOENCODING": encoding})
            assert (done.returncode, done.stderr) == (0, "")
            assert not more or json.loads(done.stdout)[0]["output"] in toy_model.LABELS


def test_json_is_alone_on_standard_output_whatever_libraries_print(toy: Any, tmp_path: Path) -> None:
    done = toy.command(*toy.arguments(tmp_path / "b", "--runtime=onnxruntime", "--precision=fp16", "--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recipe"]["precision"] == "fp16"
    assert [line for line in done.stderr.splitlines() if not line.startswith("edgekit: ")] == []


@pytest.mark.parametrize(("first", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_an_interrupt_that_a_library_hides_is_still_one(
    do: Any, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: BaseException, code: int
) -> None:
    def save(*arrays: object, **more: object) -> None:
        """What numpy does when it is interrupted while it writes."""
        try:
            raise first
        finally:
            raise ValueError("Can't close the ZIP file")

    monkeypatch.setattr("numpy.savez_compressed", save)
    found, _, err = do(*toy.arguments(tmp_path / "bundle"))
    assert found == code
    assert "Traceback" not in err
    assert ("interrupted" in err) == (code == 130)
    assert list(tmp_path.iterdir()) == []


def test_a_defect_of_ours_is_not_hidden(do: Any, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.bundles.golden.write_reference", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        do(*toy.arguments(tmp_path / "bundle"))
