"""What a firmware bundle consists of: the project, golden data, the Arduino library, and that all of it compiles."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import tiny_network as tiny

from edgekit.errors import BadInput, DeviceFailed, MissingExtra, UnknownName
from edgekit.targets.microcontroller.arduino import arduino
from edgekit.targets.microcontroller.emulator import toolchain
from edgekit.targets.microcontroller.emulator.elf import memory, sections
from edgekit.targets.microcontroller.emulator.toolchain import HOST, MACHINES, PROGRAMS, build
from edgekit.targets.microcontroller.firmware import SOURCES, firmware_of, pack, project
from edgekit.targets.microcontroller.golden_headers import read_wav, write_golden, write_golden_audio

pytestmark = pytest.mark.thorough

#: What a file of C may be wide.
_COLUMNS = 120


def cmake(bundle: Path, processor: str, out: Path, *options: str) -> str:
    """Configure, build and test the delivered project as its README says; returns all that was written."""
    commands = (
        ["cmake", "-S", str(bundle / "firmware"), "-B", str(out), f"-DEDGEKIT_CPU={processor}", *options],
        ["cmake", "--build", str(out)],
        ["ctest", "--test-dir", str(out), "--output-on-failure"],
    )
    text = ""
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        text += done.stdout + done.stderr
        assert done.returncode == 0, text
    return text


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("processor", MACHINES)
def test_the_project_builds_without_warnings_and_passes_its_test(processor: str, bundle: Path, tmp_path: Path) -> None:
    text = cmake(bundle, processor, tmp_path / "build")
    assert "warning" not in text.lower()
    assert "100% tests passed" in text


@pytest.mark.usefixtures("tools")
def test_the_project_with_sound_on_this_computer_under_sanitizers(sound_bundle: Path, tmp_path: Path) -> None:
    text = cmake(sound_bundle, "host", tmp_path / "build", "-DEDGEKIT_SANITIZE=ON")
    assert "warning" not in text.lower()
    done = subprocess.run([tmp_path / "build" / "example"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200 ms: loud, score 194 of 255\n", "")


@pytest.mark.usefixtures("tools")
def test_the_project_names_the_processors_that_it_knows(bundle: Path, tmp_path: Path) -> None:
    command = ["cmake", "-S", str(bundle / "firmware"), "-B", str(tmp_path / "b"), "-DEDGEKIT_CPU=cortex-m0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode
    assert "there is no processor cortex-m0" in done.stderr


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "trace"])
@pytest.mark.parametrize("processor", ["cortex-m55", "riscv32"])
def test_every_program_builds(program: str, processor: str, sound_bundle: Path, tmp_path: Path) -> None:
    sizes = memory(build(sound_bundle, MACHINES[processor], program, tmp_path))
    assert 0 < sizes["code"] < 16_000
    assert sizes["flash"] == sizes["code"] + sizes["constants"] + sizes["data"]


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("sound", [False, True])
def test_an_arduino_library_compiles_as_one(sound: bool, bundle: Path, tmp_path: Path) -> None:
    if sound:
        tiny.write_sound_sources(bundle)
        write_golden_audio(bundle / "firmware", tiny.sound())
    arduino(bundle, tmp_path / "tiny.zip", name="Tiny model!")
    with zipfile.ZipFile(tmp_path / "tiny.zip") as archive:
        archive.extractall(tmp_path)
    library = tmp_path / "Tiny_model"
    assert "name=Tiny_model\n" in (library / "library.properties").read_text()
    core = tmp_path / "Arduino.h"
    core.write_text(
        "#include <stdint.h>\nunsigned long micros(); void delay(unsigned long);\n"
        "struct Port { void begin(long); template <class T> void print(T); template <class T> void println(T); };\n"
        "extern Port Serial;\n"
    )
    sketch = library / "examples" / "Tiny_model_example" / "Tiny_model_example.ino"
    command = ["arm-none-eabi-g++", "-mcpu=cortex-m4", "-mthumb", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    command += ["-include", str(core), f"-I{library / 'src'}", f"-I{sketch.parent}", "-x", "c++", str(sketch)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_arduino_library_is_the_same_bytes_again(bundle: Path, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        arduino(bundle, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with pytest.raises(BadInput, match="cannot be named"):
        arduino(bundle, tmp_path / "c.zip", name="network")


@pytest.mark.usefixtures("tools")
def test_the_project_as_an_archive_builds_where_it_is_unpacked(bundle: Path, tmp_path: Path) -> None:
    project(bundle, tmp_path / "tiny.zip")
    with zipfile.ZipFile(tmp_path / "tiny.zip") as archive:
        archive.extractall(tmp_path / "elsewhere")
    assert "100% tests passed" in cmake(tmp_path / "elsewhere" / "tiny", "cortex-m4", tmp_path / "build")


def test_pack_takes_the_golden_data_that_the_exporter_left(tmp_path: Path) -> None:
    bundle = tmp_path / "tiny"
    tiny.write_sources(bundle)
    tiny.write_sound_sources(bundle)
    golden = bundle / "golden"
    golden.mkdir()
    samples = tiny.sound()
    tiny.save_vectors(bundle, tiny.vectors())
    tiny.save_sound(bundle, samples, tiny.features(samples))
    with wave.open(str(golden / "input.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    pack(bundle, "riscv32")
    assert "GOLDEN_VECTORS 5u" in (bundle / "firmware" / "golden_vectors.h").read_text()
    audio = (bundle / "firmware" / "golden_audio.h").read_text()
    assert (
        "GOLDEN_SAMPLES 3200u" in audio
        and "GOLDEN_FRAMES 10u" in audio
        and "golden_features[GOLDEN_FRAMES][4]" in audio
    )
    (golden / "frontend.input.0.npy").unlink()
    pack(bundle, "riscv32")
    audio = (bundle / "firmware" / "golden_audio.h").read_text()
    assert "GOLDEN_SAMPLES 3200u" in audio and "GOLDEN_FRAMES" not in audio
    assert firmware_of(bundle) == bundle / "firmware"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda folder: (folder / "self_test.c").write_text("int more;\n"),
            "firmware/self_test.c of tiny is not",
        ),
        (
            lambda folder: (folder / "golden_vectors.h").write_text("#warning"),
            "firmware/golden_vectors.h of tiny is",
        ),
        (lambda folder: (folder / "string.h").write_text(""), "firmware/string.h of tiny is not"),
        (
            lambda folder: (folder / "processor.cmake").write_text("execute_process(cortex-m4 )"),
            "processor.cmake of tiny",
        ),
        (lambda folder: (folder / "processor.cmake").write_bytes(b""), "processor.cmake of tiny"),
        (lambda folder: (folder / "boards" / "mps2.ld").unlink(), "lacks firmware/boards/mps2.ld"),
        (lambda folder: (folder / "more").symlink_to("/"), "firmware of tiny holds a link"),
        (lambda folder: (folder.parent / "golden" / "network.input.0.npy").write_bytes(b"\x93NUMPY\x01\x00"), "array"),
        (
            lambda folder: np.save(folder.parent / "golden" / "network.input.0.npy", np.zeros((3, 4), np.int8)),
            "equally",
        ),
        (lambda folder: np.save(folder.parent / "golden" / "network.output.0.npy", np.int8(0)), "equally"),
        (lambda folder: np.save(folder.parent / "golden" / "network.input.0.npy", np.array(["a"])), "numbers"),
    ],
)
def test_firmware_that_is_not_ours_is_not_compiled(
    change: Callable[[Path], Any], what: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(bundle / "firmware")
    monkeypatch.setattr(subprocess, "run", None)
    monkeypatch.setattr(toolchain, "compiler_of", lambda machine: "cc")
    with pytest.raises(BadInput, match=what):
        build(bundle, HOST, "self_test", tmp_path / "work")


def test_pack_wants_a_network_and_a_known_processor(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no src/network\.h"):
        pack(tmp_path, "cortex-m4")
    tiny.write_sources(tmp_path)
    with pytest.raises(UnknownName, match="cortex-m4"):
        pack(tmp_path, "cortex-m45")
    with pytest.raises(BadInput, match="not a firmware bundle"):
        firmware_of(tmp_path)


def test_golden_vectors_are_cut_to_the_budget_and_checked(tmp_path: Path) -> None:
    vectors = tiny.vectors(10)
    assert write_golden(tmp_path, vectors, max_bytes=24) == 3
    assert "GOLDEN_VECTORS 3u" in (tmp_path / "golden_vectors.h").read_text()
    for bad, most in (([], 100), ([vectors[0], (vectors[1][0][:2], vectors[1][1])], 100), (vectors, 7)):
        with pytest.raises(BadInput):
            write_golden(tmp_path, bad, max_bytes=most)


def test_golden_sound_must_be_sound(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="int16"):
        write_golden_audio(tmp_path, np.zeros(10, np.float32))
    with pytest.raises(BadInput, match="int8"):
        write_golden_audio(tmp_path, np.zeros(10, np.int16), np.zeros((1, 4), np.float32))
    (tmp_path / "not.wav").write_bytes(b"RIFF")
    with pytest.raises(BadInput, match="can be read"):
        read_wav(tmp_path / "not.wav")
    with wave.open(str(tmp_path / "fast.wav"), "wb") as sound:
        sound.setparams((2, 2, 44100, 0, "NONE", ""))
        sound.writeframes(bytes(8))
    with pytest.raises(BadInput, match="16000 Hz"):
        read_wav(tmp_path / "fast.wav")


@pytest.mark.parametrize("text", ["nonsense", "#error too clever\n"])
def test_a_failing_compiler_is_quoted(text: str, bundle: Path, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("this computer has no C compiler")
    (bundle / "src" / "extra.c").write_text(text)
    with pytest.raises(DeviceFailed, match=r"extra\.c:1.*error") as caught:
        build(bundle, HOST, "self_test", tmp_path)
    assert len(caught.value.message.splitlines()) == 1


@pytest.mark.usefixtures("tools")
def test_a_failing_linker_is_quoted(bundle: Path, tmp_path: Path) -> None:
    network = bundle / "src" / "network.c"
    network.write_text(network.read_text().replace("    dense();", "    extern void absent(void);\n    absent();"))
    with pytest.raises(DeviceFailed, match="undefined reference to `absent'"):
        build(bundle, MACHINES["cortex-m4"], "self_test", tmp_path)


@pytest.mark.usefixtures("tools")
def test_a_network_that_does_not_fit_the_memory_is_the_linkers_error(bundle: Path, tmp_path: Path) -> None:
    (bundle / "src" / "network.c").write_text(
        (bundle / "src" / "network.c").read_text().replace("static int8_t input[4]", "static int8_t input[5000000]")
    )
    with pytest.raises(DeviceFailed, match="RAM"):
        build(bundle, MACHINES["cortex-m4"], "footprint", tmp_path)


def test_an_absent_compiler_is_named_with_what_installs_it(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    for machine in MACHINES.values():
        with pytest.raises(MissingExtra, match=r"gcc.*\n.*make firmware-tools"):
            build(bundle, machine, "self_test", bundle)
    with pytest.raises(MissingExtra, match="C compiler"):
        build(bundle, HOST, "self_test", bundle)


@pytest.mark.parametrize(
    "content", [b"", b"MZ", b"\x7fELF\x01\x01", b"\x7fELF\x01\x01" + bytes(60), b"\x7fELF\x02\x01"]
)
def test_a_file_that_is_no_program(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "program.elf"
    file.write_bytes(content)
    with pytest.raises(BadInput, match="ELF"):
        sections(file)


def test_the_delivered_files_are_readable() -> None:
    for file in (file for file in SOURCES.rglob("*") if file.is_file()):
        lines = file.read_text(encoding="ascii").splitlines()
        assert lines, file
        if file.suffix in (".c", ".h", ".cmake"):
            assert max(map(len, lines)) <= _COLUMNS, file
            assert not any(line != line.rstrip() or "\t" in line for line in lines), file
