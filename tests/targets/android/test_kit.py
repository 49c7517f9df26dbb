"""The kit for owners of phones: what its program says of right and wrong answers, on an emulated phone and through
Qualcomm's simulator, and what its script says where there is no phone."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from helpers.devices import packaging

from edgekit.core import Case
from edgekit.errors import BadInput, Unsupported
from edgekit.runtimes.qnn import forms
from edgekit.targets.android.forms import kit, native
from edgekit.targets.android.forms.archive import write_aligned
from edgekit.targets.android.forms.elf import PAGE, check_library
from edgekit.targets.common import calls

BUNDLE: Any = SimpleNamespace(path=Path("bundle"))
JNI = "jni/arm64-v8a"


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """All forms and their repairs, one with answers that no processor gives, and one whose model is cut off."""
    listed = [*forms.list_cases({})]
    feeds, outputs = listed[0].calls[0]
    off = replace(listed[0], name="off", calls=[(feeds, {name: value + 1 for name, value in outputs.items()})])
    return [*listed, off, replace(listed[0], name="cut", model=listed[0].model[:-9])]


def unpack(place: Path, cases: list[Case], options: dict[str, str] | None = None) -> Path:
    kit.write(BUNDLE, place / "kit.zip", options or {}, cases)
    with zipfile.ZipFile(place / "kit.zip") as archive:
        archive.extractall(place / "kit")
    return place / "kit"


def test_a_form_has_a_name_for_files_and_answers_of_its_own(cases: list[Case]) -> None:
    assert {f"{name}{end}" for name in forms.FORMS for end in ("", "-repaired")} <= {case.name for case in cases}
    for case in cases:
        assert case.name.replace("-", "").isalnum() and case.calls and case.least > 0
        assert all(np.isfinite(value).all() for _, outputs in case.calls for value in outputs.values())


def test_a_bundle_without_an_accelerator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="no accelerator"):
        kit.write(BUNDLE, tmp_path / "kit.zip", {}, [])
    assert not (tmp_path / "kit.zip").exists()


@pytest.mark.thorough
def test_without_a_phone_the_next_command_is_said(cases: list[Case], tmp_path: Path) -> None:
    packaging.tools()
    place = unpack(tmp_path, cases[:1])
    (tmp_path / "bin").mkdir()
    for name in ("sh", "dirname", "tail"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    for answer in ("", "#!/bin/sh\necho 'error: no devices/emulators found' >&2\nexit 1\n"):
        if answer:
            (tmp_path / "bin" / "adb").write_text(answer)
            (tmp_path / "bin" / "adb").chmod(0o755)
        done = subprocess.run(
            ["sh", str(place / "run.sh")], env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True
        )
        assert done.returncode == 2 and done.stdout.strip().endswith("then: sh run.sh")
        assert ("no devices" if answer else "not installed") in done.stdout and len(done.stdout.splitlines()) == 1


@pytest.mark.thorough
def test_an_emulated_phone_says_right_wrong_and_what_was_not_asked(cases: list[Case], tmp_path: Path) -> None:
    packaging.tools()
    command = packaging.loopback_command()
    place = unpack(tmp_path, cases)
    done = subprocess.run(
        [*command, "sh", "-c", f"sh {place}/run.sh; echo code $?; adb shell ls /data/local/tmp"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    phone, htp, *lines = done.stdout.splitlines()
    assert phone.startswith("edgekit loopback") and htp.startswith("HTP: not asked: ")
    assert lines[-1] == "code 3", "nothing is left on the phone"
    said = dict(line.split(": CPU ") for line in lines[:-1])
    assert list(said) == [case.name for case in cases]
    assert said.pop("cut").startswith("failed: ") and said.pop("off").startswith("WRONG ")
    assert all(words.startswith("right (") for words in said.values())


@pytest.mark.thorough
def test_the_program_asks_a_plug_in_and_finds_what_it_computes_wrongly(cases: list[Case], tmp_path: Path) -> None:
    """Compiled for this machine, it asks Qualcomm's simulator as it asks a phone's HTP."""
    packaging.tools()
    compiler, plugin = shutil.which("gcc"), importlib.util.find_spec("onnxruntime_qnn")
    if compiler is None or plugin is None or plugin.origin is None:
        pytest.skip("Qualcomm's simulator is not installed: make accelerator-tools")
    folder = Path(kit.__file__).parent.parent / "kit"
    flags = [*native.warnings, *native.runtime_headers(tmp_path)]
    subprocess.run([compiler, *flags, folder / "distance.c", "-o", tmp_path / "distance", "-ldl"], check=True)
    library = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    chip = ["backend_type=htp", "soc_model=57", "session.disable_cpu_ep_fallback=1"]
    unit = ["QNN", str(Path(plugin.origin).parent / "libonnxruntime_providers_qnn.so"), *chip]
    for form in ("sigmoid-small", "matmul-scales-along-depth"):
        for name in (form, f"{form}-repaired"):
            case = next(case for case in cases if case.name == name)
            (tmp_path / "model").write_bytes(case.model)
            for end, side in (("calls", 0), ("answers", 1)):
                calls.write(tmp_path / end, [call[side] for call in case.calls])
            files = [str(tmp_path / end) for end in ("model", "calls", "answers")]
            asked = [
                subprocess.run(
                    [tmp_path / "distance", library, *files, *more], capture_output=True, text=True, timeout=300
                )
                for more in ([], unit)
            ]
            processor, there = (int(done.stdout.splitlines()[-1]) for done in asked)
            assert processor >= case.least
            assert (there >= case.least) == name.endswith("-repaired"), there


@pytest.mark.thorough
def test_libraries_are_checked_and_the_program_is_androids(cases: list[Case], tmp_path: Path) -> None:
    packaging.tools()
    for name, files in (("empty.aar", {}), ("qnn.aar", {f"{JNI}/libonnxruntime_providers_qnn.so": b"a plug-in"})):
        write_aligned(tmp_path / name, {"AndroidManifest.xml": b"", **files}, {})
    for given in ("absent.aar", str(tmp_path / "empty.aar")):
        with pytest.raises(BadInput):
            kit.write(BUNDLE, tmp_path / "kit.zip", {"libraries": given}, cases)
    place = unpack(tmp_path, cases[:1], {"libraries": str(tmp_path / "qnn.aar")}) / "phone" / "android"
    plugin = "libonnxruntime_providers_qnn.so"
    assert sorted(file.name for file in place.iterdir()) == ["distance", "libonnxruntime.so", plugin]
    program = check_library((place / "distance").read_bytes(), "distance", "arm64-v8a")
    assert set(program.needed) == {"libdl.so", "libc.so"}
    assert all(segment.alignment >= PAGE for segment in program.loads)
    assert b"/system/bin/linker64\0" in (place / "distance").read_bytes()
