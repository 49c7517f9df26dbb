"""The command line's contract: one JSON document, an exit code, no traceback, and text that is shown as it is."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import _toy_model
import numpy as np
import pytest

import edgekit
from edgekit import _verbs
from edgekit.cli import option, parser, run
from edgekit.core import Measurement, Report
from edgekit.errors import BadInput, EdgekitError
from edgekit.report import save


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


# --------------------------------------------------------------------------------------------------- every verb as JSON


def test_list(do_json: Any, do: Any) -> None:
    code, found = do_json("list")
    assert code == 0 and set(found) == {"models", "targets", "exporters"}
    assert {"whisper-base", "toy-speller"} <= {entry["model"] for entry in found["models"]}
    assert set(do_json("list", "targets")[1]) == {"targets"}
    code, out, _ = do("list")
    assert all(word in out for word in ("models", "targets", "exporters", "toy-board", "72.6 M"))


def test_list_tells_of_a_package_that_does_not_load(do: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(_toy_model.install(tmp_path / "site", "[edgekit.models]\nbroken = absent:MODEL\n")))
    code, out, err = do("list", "models", "--json")
    assert code == 0 and "whisper-base" in out and "'broken' of toy 1.0 cannot be loaded" in err


def test_fit(do_json: Any, do: Any) -> None:
    code, found = do_json("fit", "toy-speller", "--target", "toy-board")
    assert code == 0 and [entry["verdict"] for entry in found] == ["fits"]
    code, found = do_json("fit", "whisper-base")
    assert code == 6 and {entry["target"]: entry["verdict"] for entry in found}["toy-board"] == "too large"
    code, out, _ = do("fit", "toy-speller", "--target=toy-board")
    assert code == 0 and "33 kB" in out and "330 kB" in out


def test_export_and_verify(do_json: Any, do: Any, toy: Any, tmp_path: Path) -> None:
    code, found = do_json(*toy.arguments(tmp_path / "b", f"--data={toy.data}"))
    assert code == 0 and found["gate"]["verdict"] == "pass" and not found["reused"]
    assert do_json(*toy.arguments(tmp_path / "b", f"--data={toy.data}"))[1] == {**found, "reused": True}
    code, out, err = do(*toy.arguments(tmp_path / "b", f"--data={toy.data}"))
    assert code == 0 and "reused, already made of exactly this" in out
    code, found = do_json("verify", tmp_path / "b", "--data", toy.data)
    assert code == 0 and found["gate"]["verdict"] == "pass" and set(found["parity"]) == {"frontend", "network"}
    code, out, err = do("verify", tmp_path / "b")
    assert code == 0 and "accuracy: not measured" in out and "checking hashes" in err


def test_run(do_json: Any, do: Any, bundle: Path, toy: Any) -> None:
    files = [toy.data / f"{i}.npy" for i in range(2)]
    code, found = do_json("run", bundle, *files, "-o", "loud=true")
    assert code == 0 and [entry["input"] for entry in found] == [str(file) for file in files]
    assert all(entry["output"].isupper() and len(entry["details"]["scores"]) == 3 for entry in found)
    code, out, _ = do("run", bundle, files[0])
    assert code == 0 and out.strip() in _toy_model.LABELS
    code, out, _ = do("run", bundle, *files)
    assert [line.partition(": ")[0] for line in out.splitlines()] == [str(file) for file in files]


def test_run_goes_on_after_an_input_that_cannot_be_used(
    do_json: Any, do: Any, bundle: Path, toy: Any, tmp_path: Path
) -> None:
    np.save(tmp_path / "nan.npy", np.array([np.nan], np.float32))
    np.save(tmp_path / "short.npy", np.ones(2, np.float32))
    (tmp_path / "text").write_text("this is no signal")
    inputs = [tmp_path / "nan.npy", toy.data / "0.npy", tmp_path / "text", tmp_path / "absent", tmp_path / "short.npy"]
    code, out, err = do("run", bundle, *inputs)
    assert code == 2
    assert [line.partition(": ")[0] for line in out.splitlines()] == [str(inputs[1]), str(inputs[4])]
    assert [line.split(": ")[1] for line in err.splitlines()[:3]] == [str(inputs[i]) for i in (0, 2, 3)]
    assert err.splitlines()[3] == "short.npy: it is short"
    code, found = do_json("run", bundle, *inputs)
    assert code == 2 and [entry.get("error") for entry in found] == ["BadInput", None, "BadInput", "BadInput", None]
    assert found[0]["exit_code"] == 2 and "row of numbers" in found[0]["message"]


def test_bench_report_and_compare(do_json: Any, do: Any, bundle: Path, toy: Any, tmp_path: Path) -> None:
    inputs = [toy.data / f"{i}.npy" for i in range(3)]
    out = tmp_path / "deep" / "r.json"
    arguments = (
        "bench",
        bundle,
        "--input",
        *inputs[:2],
        "--input",
        inputs[2],
        "--processes=1",
        "--loops=2",
        "--threads=1",
    )
    code, found = do_json(*arguments, "--out", out)
    assert code == 0 and json.loads(out.read_bytes()) == found
    assert [entry["name"] for entry in found["inputs"]] == ["0.npy", "1.npy", "2.npy"]
    assert found["threads"] == 1 and found["fidelity"] == "host" and len(found["outputs"]) == 3
    names = {entry["name"]: entry for entry in found["measurements"]}
    assert {"end_to_end.latency", "part.frontend.latency", "part.network.latency", "load.cold"} <= set(names)
    assert len(names["end_to_end.latency"]["values"][0]) == 6
    code, text, _ = do("bench", bundle, "--processes=1", "--loops=1")
    assert code == 0 and "end_to_end.latency" in text
    assert do_json("report", out)[1] == [found]
    code, found = do_json("report", out, "--html", tmp_path / "r.html")
    assert code == 0 and len(found) == 1 and "<html" in (tmp_path / "r.html").read_text()
    code, text, _ = do("report", out, out, "--html", tmp_path / "r.html")
    assert "2 report(s)" in text
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    code, found = do_json("compare", out, out)
    assert code == 0 and {row["verdict"] for row in found} <= {"cannot tell", "not measured"}


def test_bench_says_that_another_targets_numbers_are_not_measured(
    do_json: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_toy_model, "TARGET", replace(_toy_model.TARGET, device=None))
    code, found = do_json("bench", bundle, "--processes=1", "--loops=1")
    assert code == 0 and found["warnings"][0] == "measured on this machine; on toy-board (any): not measured"
    _toy_model.forge(bundle, lambda raw: raw["target"].update(name="a board of others"))
    code, found = do_json("bench", bundle, "--processes=1", "--loops=1")
    assert code == 0 and found["warnings"][0] == "measured on this machine; on a board of others (any): not measured"


def test_package(do_json: Any, do: Any, bundle: Path, tmp_path: Path) -> None:
    code, found = do_json("package", bundle, "--as", "zip", "--out", tmp_path / "x.zip")
    assert code == 0 and found == {"file": str(tmp_path / "x.zip"), "size": (tmp_path / "x.zip").stat().st_size}
    assert "written" in do("package", bundle, "--as=zip")[1]


def test_doctor(do_json: Any, do: Any) -> None:
    code, found = do_json("doctor")
    assert code == 0 and set(found) == {"machine", "abilities"} and found["machine"]["cache"]
    abilities = {entry["what"]: entry for entry in found["abilities"]}
    assert abilities["export to onnx"]["ok"] and "torch" in abilities["export to onnx"]["found"]
    phone = abilities["measure on a phone"]
    assert not phone["ok"] and phone["remedy"]
    assert "abilities" in do("doctor")[1]


def test_doctor_tells_how_to_add_what_is_missing(do_json: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "edgekit.doctor.importlib.util.find_spec", lambda name: None if name == "onnxruntime" else find_spec(name)
    )
    abilities = {entry["what"]: entry for entry in do_json("doctor")[1]["abilities"]}
    assert abilities["run, verify and bench bundles"]["remedy"] == 'pip install "edgekit[run]"'


def test_a_regression_exits_with_7_and_one_document(do_json: Any, do: Any, report: Any) -> None:
    fast, slow = report("fast.json", 0.010), report("slow.json", 0.013)
    code, found = do_json("compare", fast, slow)
    assert code == 7 and [row["regressed"] for row in found] == [True]
    code, out, err = do("compare", fast, slow)
    assert code == 7 and "SLOWER" in out and "worse by more than was allowed: end_to_end.latency (1.30 times)" in err
    assert do("compare", fast, slow, "--max-regression=0.5")[0] == 0
    assert do_json("compare", slow, fast)[0] == 0


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
        (["bench", "BUNDLE", "--input", "BUNDLE/labels.txt", "--processes=1"], "BadInput", 2),
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

    monkeypatch.setattr(_verbs, "doctor_", fail)
    facts = {"error": kind.__name__, "message": "what", "hint": "how", "exit_code": kind.exit_code}
    assert do_json("doctor") == (kind.exit_code, facts)
    monkeypatch.setenv("EDGEKIT_DEBUG", "1")
    with pytest.raises(kind):
        run(["doctor"])


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            [],
            ["nonsense"],
            ["list", "--nonsense"],
            ["list", "bundles"],
            ["run", "x"],
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
        assert callable(getattr(_verbs, f"{name}_"))
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


# -------------------------------------------------------------------------------------------------------- text as it is

MARKUP = "[bold]a[/bold] [red] [/] :smile: [link=x]"


def test_markup_in_names_is_shown_as_it_is(do: Any, toy: Any, bundle: Path, tmp_path: Path, report: Any) -> None:
    place, data = tmp_path / MARKUP, Path(shutil.copytree(toy.data, tmp_path / f"{MARKUP} data"))
    code, out, err = do(*toy.arguments(place, f"--data={data}"))
    assert code == 0 and f"{place} written" in out and f"edgekit run {place} FILE" in out
    code, out, err = do("verify", place)
    assert code == 0 and f"{place}: hashes" in out
    signal = Path(shutil.copy(toy.data / "0.npy", tmp_path / "[red]x.npy"))
    code, out, err = do("run", place, signal, signal)
    assert code == 0 and f"{signal}: " in out
    code, out, err = do("verify", f"{place}[/]nowhere")
    assert code == 2 and f"{place}[/]nowhere" in err
    assert MARKUP in do("package", place, "--as=zip")[1]
    assert "[bold]x.json[/bold]" in do("report", report("x.json", 1.0))[1]
    code, out, err = do("bench", place, "--processes=1", "--loops=1", "--out", tmp_path / "[bold]r.json")
    assert code == 0 and (tmp_path / "[bold]r.json").is_file()


def test_long_lines_are_not_folded(do: Any, toy: Any, tmp_path: Path) -> None:
    place = tmp_path / ("long " * 40).strip()
    assert f"{place} written" in do(*toy.arguments(place))[1]


@pytest.mark.parametrize(
    "error, shown", [(0.0, "0"), (3.2e-6, "3e-06"), (9.9e-5, "1e-04"), (1e-4, "0.01%"), (0.0165, "1.65%")]
)
def test_small_errors_do_not_read_as_none(error: float, shown: str) -> None:
    assert _verbs.away(error) == shown


def test_a_census_of_another_kind_is_shown_too(do: Any, toy: Any, tmp_path: Path) -> None:
    assert "none" in do(*toy.arguments(tmp_path / "b"))[1]  # the toy's census holds operators only


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
    child = toy.popen("from edgekit.cli import main; main()", *arguments, stdout=writing, env=buffered)
    os.close(writing)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")


def test_names_that_no_encoding_holds(toy: Any, bundle: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(bytes(tmp_path / "odd") + b"\xff\xc3\xa9.npy")
    shutil.copy(toy.data / "0.npy", odd)
    for encoding in ("ascii", "utf-8"):
        for more in ([], ["--json"]):
            done = toy.command("run", str(bundle), odd, odd, *more, env={"PYTHONIOENCODING": encoding})
            assert (done.returncode, done.stderr) == (0, "")
            assert not more or json.loads(done.stdout)[0]["output"] in _toy_model.LABELS


def test_json_is_alone_on_standard_output_whatever_libraries_print(toy: Any, tmp_path: Path) -> None:
    done = toy.command(*toy.arguments(tmp_path / "b", "--exporter=onnx", "--precision=fp16", "--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recipe"]["precision"] == "fp16"
    assert [line for line in done.stderr.splitlines() if not line.startswith("edgekit: ")] == []
