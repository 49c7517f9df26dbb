"""The command line: every verb as text and as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import toy_model

from edgekit.cli import shown_bundle
from edgekit.errors import install_command
from edgekit.registry import find, names

# --------------------------------------------------------------------------------------------------- every verb as JSON


def test_list(do_json: Any, do: Any) -> None:
    code, found = do_json("list")
    assert code == 0 and set(found) == {"models", "tasks", "targets", "exporters", "runtimes", "importers", "families"}
    assert {"whisper-base", "toy-speller"} <= {entry["model"] for entry in found["models"]}
    assert set(do_json("list", "targets")[1]) == {"targets"}
    code, out, _ = do("list")
    assert all(word in out for word in ("models", "tasks", "targets", "exporters", "toy-board", "72.6 M"))


def test_list_tells_of_a_package_that_does_not_load(do: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(toy_model.install(tmp_path / "site", "[edgekit.models]\nbroken = absent:MODEL\n")))
    code, out, err = do("list", "models", "--json")
    assert code == 0 and "whisper-base" in out and "'broken' of toy 1.0 cannot be loaded" in err


@pytest.mark.parametrize(
    "parameters, shown",
    [(1_540_000_000, "1.54 B"), (999_960_000, "1 B"), (135_600_000, "136 M"), (22_604, "22.6 k"), (500, "500")],
)
def test_list_counts_parameters_as_people_do(
    do_json: Any, toy: Any, monkeypatch: pytest.MonkeyPatch, parameters: int, shown: str
) -> None:
    network = replace(toy_model.MODEL.network, parameters=parameters)
    monkeypatch.setattr(toy_model, "MODEL", replace(toy_model.MODEL, network=network))
    (entry,) = (entry for entry in do_json("list", "models")[1]["models"] if entry["model"] == "toy-speller")
    assert entry["parameters"] == shown


def test_without_a_verb_the_help_is_shown(toy: Any) -> None:
    done, asked = toy.command(), toy.command("--help")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout == asked.stdout != ""


def test_package_help_names_the_forms_of_every_target(toy: Any) -> None:
    out = " ".join(toy.command("package", "--help").stdout.split())
    for target in names("targets"):
        for form in find("targets", target).forms:
            assert re.search(rf"\b{target}\b[^;]*: [^;]*\b{form}\b", out), (target, form, out)
    assert "zip" in out and "aar, apk, gradle" in out and "swift" in out and "toy-board" not in out


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
    assert code == 0 and "reused: same sources, recipe and versions" in out
    assert found["gate"]["basis"] == ["bar", "loss", "interval"] and "accuracy: pass by bar, loss, interval (" in out
    code, found = do_json("verify", tmp_path / "b", "--data", toy.data)
    assert code == 0 and set(found["parity"]) == {"frontend", "network"}
    assert (found["gate"]["verdict"], found["gate"]["basis"]) == ("above the bar", ["bar"])
    assert "accuracy: above the bar (wer 0.00%, bar 30.00%; " in do("verify", tmp_path / "b", "--data", toy.data)[1]
    code, out, err = do("verify", tmp_path / "b")
    assert code == 0 and "accuracy: not measured" in out and "checking hashes" in err


def test_run(do_json: Any, do: Any, bundle: Path, toy: Any) -> None:
    files = [toy.data / f"{i}.npy" for i in range(2)]
    code, found = do_json("run", bundle, *files, "-o", "loud=true")
    assert code == 0 and [entry["input"] for entry in found] == [str(file) for file in files]
    assert all(entry["output"].isupper() and len(entry["details"]["scores"]) == 3 for entry in found)
    code, out, _ = do("run", bundle, files[0])
    assert code == 0 and out.strip() in toy_model.LABELS
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
    assert code == 0 and {row["verdict"] for row in found} <= {"cannot tell", "equal", "not measured"}


def test_bench_says_that_another_targets_numbers_are_not_measured(
    do_json: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy_model, "TARGET", replace(toy_model.TARGET, device=None))
    code, found = do_json("bench", bundle, "--processes=1", "--loops=1")
    assert code == 0 and found["warnings"][0] == "measured on this machine; on toy-board (any): not measured"
    toy_model.forge(bundle, lambda raw: raw["target"].update(name="a board of others"))
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
    assert "measure on a connected device (adb)" in abilities  # tests/targets/android/test_adb.py looks at what it says
    assert {"export to LiteRT", "run .tflite files (LiteRT)"} <= set(abilities)
    code, out, _ = do("doctor")
    assert re.search(r"load average +[0-9.]+ \(1 minute\)", out) and re.search(r"virtualised +(yes|no)\b", out)
    memory = found["machine"]["memory"]
    assert isinstance(memory, int) and f"{memory / 2**30:.1f} GiB" in out and str(memory) not in out


def test_doctor_tells_how_to_add_what_is_missing(do_json: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "edgekit.cli.doctor.importlib.util.find_spec", lambda name: None if name == "onnxruntime" else find_spec(name)
    )
    abilities = {entry["what"]: entry for entry in do_json("doctor")[1]["abilities"]}
    assert abilities["run, verify and bench bundles"]["remedy"] == install_command("run")


def test_doctor_tells_how_to_add_what_an_exporter_needs(do_json: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = importlib.metadata.version

    def version(name: str) -> str:
        if name == "scikit-learn":
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    abilities = {entry["what"]: entry for entry in do_json("doctor")[1]["abilities"]}
    missing = abilities["export to Core ML"]
    assert not missing["ok"] and missing["remedy"] == install_command("coreml")
    assert "coremltools" in missing["found"] and abilities["export to onnx"]["ok"]


def test_a_regression_exits_with_7_and_one_document(do_json: Any, do: Any, report: Any) -> None:
    fast, slow = report("fast.json", 0.010), report("slow.json", 0.013)
    code, found = do_json("compare", fast, slow)
    assert code == 7 and [row["regressed"] for row in found] == [True]
    code, out, err = do("compare", fast, slow)
    assert code == 7 and "SLOWER" in out and "worse by more than was allowed: end_to_end.latency (1.30 times)" in err
    assert do("compare", fast, slow, "--max-regression=0.5")[0] == 0
    assert do_json("compare", slow, fast)[0] == 0


# -------------------------------------------------------------------------------------------------------- text as it is

MARKUP = "[bold]a[/bold] [red] [/] :smile: [link=x]"


def test_markup_in_names_is_shown_as_it_is(do: Any, toy: Any, bundle: Path, tmp_path: Path, report: Any) -> None:
    place, data = tmp_path / MARKUP, Path(shutil.copytree(toy.data, tmp_path / f"{MARKUP} data"))
    code, out, err = do(*toy.arguments(place, f"--data={data}"))
    assert code == 0 and f"{place} written" in out and f"edgekit run {shlex.quote(str(place))} FILE" in out
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
    assert shown_bundle.away(error) == shown


def test_a_census_of_another_kind_is_shown_too(do: Any, toy: Any, tmp_path: Path) -> None:
    assert "none" in do(*toy.arguments(tmp_path / "b"))[1]  # the toy's census holds operators only
