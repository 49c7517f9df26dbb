"""Bundles from outside: their C is compiled only where it is what this edgekit generates, whatever their manifest says.

The bundle is a real export of a wake word whose network is made on the spot. What is forged in it is signed anew, as
somebody with this source code can.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from helpers.cases.tflite_models import Builder
from helpers.toys.toy_model import forge

import edgekit
from edgekit.benchmarking.benchmark import benchmark
from edgekit.bundles.opened import load
from edgekit.errors import BadInput, EdgekitError
from edgekit.exporters.c import EXPORTER
from edgekit.gate.verifying import verify
from edgekit.registry import find
from edgekit.runtimes.qemu import RUNTIME, vouching

#: The declaration that the exporter works from.
CHIP = find("models", "okay-nabu").network.variants["integers"]

pytestmark = pytest.mark.thorough

#: Runs as soon as a library that holds it is opened.
EVIL = "\n__attribute__((constructor)) static void evil(void) { __builtin_trap(); }\n"


def network(seed: int, name: str = "") -> bytes:
    """Frames int8 [1, 3, 40] to a probability uint8 [1, 1]."""
    rng, b = np.random.default_rng(seed), Builder()
    x = b.tensor((1, 3, 40), scale=0.10196078568696976, zero=-128)
    flat = b.tensor((1, 120), scale=0.10196078568696976, zero=-128)
    weights = b.tensor((1, 120), scale=0.01, data=rng.integers(-127, 128, (1, 120)).astype(np.int8))
    logit, share = b.tensor((1, 1), scale=0.2), b.tensor((1, 1), scale=1 / 256, zero=-128)
    probability = b.tensor((1, 1), "uint8", scale=1 / 256)
    b.add("RESHAPE", [x, b.constant(np.array([1, 120], np.int32))], [flat], schema.ReshapeOptionsT())
    b.add("FULLY_CONNECTED", [flat, weights, -1], [logit], schema.FullyConnectedOptionsT())
    b.add("LOGISTIC", [logit], [share])
    b.add("QUANTIZE", [share], [probability], schema.QuantizeOptionsT())
    for tensor in b.graph.tensors:
        tensor.name = name or tensor.name
    return b.finish([x], [probability])


def export(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / "network.tflite").write_bytes(content)
    weights = str(folder / "network.tflite")
    return edgekit.export("okay-nabu", "cortex-m4", weights=weights, out=folder / "wake", fallback=False).path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("made") / "one", network(1))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("made") / "other", network(2))


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not exported the bundle itself."""
    monkeypatch.setattr(vouching, "KNOWN", set())


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "wake"))


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compilers and emulators that only leave a mark; at the end there must be none."""
    tools, mark = tmp_path / "tools", tmp_path / "started"
    tools.mkdir()
    for name in ("cc", "gcc", "clang", "arm-none-eabi-gcc", "qemu-system-arm"):
        (tools / name).write_text(f"#!/bin/sh\necho {name} >> {mark}\nexit 1\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("CC", str(tools / "cc"))
    monkeypatch.setenv("PATH", str(tools) + os.pathsep + os.environ["PATH"])
    yield
    assert not mark.exists(), f"{mark.read_text().split()} was started"


def append(name: str, text: str) -> Callable[[Path], None]:
    def change(bundle: Path) -> None:
        (bundle / name).write_bytes((bundle / name).read_bytes() + text.encode())

    return change


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(bundle: Path) -> None:
        text = (bundle / name).read_text()
        assert old in text
        (bundle / name).write_text(text.replace(old, new, 1))

    return change


def create(name: str, text: str) -> Callable[[Path], None]:
    def change(bundle: Path) -> None:
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text(text)

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda bundle: (bundle / name).unlink()


def elsewhere(bundle: Path) -> None:
    """Parts in a good copy, and evil code where the target looks for it."""
    shutil.copytree(bundle / "src", bundle / "good" / "src")
    append("src/network.c", EVIL)(bundle)

    def change(raw: dict[str, Any]) -> None:
        for part in raw["parts"]:
            part["file"] = f"good/{part['file']}"

    forge(bundle, change)


#: (what is done, what the message names), in src/.
FORGED: dict[str, tuple[Callable[[Path], None], str]] = {
    "network": (append("src/network.c", EVIL), r"wake/src/network\.c is not what this edgekit generates"),
    "weights": (append("src/network_weights.h", EVIL), r"src/network_weights\.h is not"),
    "header": (append("src/network.h", "#include </etc/hostname>\n"), r"src/network\.h is not"),
    "kernel": (append("src/fully_connected.c", EVIL), r"src/fully_connected\.c is not"),
    "kernels' header": (append("src/edgekit.h", EVIL), r"src/edgekit\.h is not"),
    "layout": (append("src/layout.h", '#include "/etc/passwd"\n'), r"src/layout\.h is not"),
    "frontend": (append("src/frontend.c", EVIL), r"src/frontend\.c is not"),
    "constant": (replace("src/frontend.h", "FRONTEND_STEP 160", "FRONTEND_STEP 480000"), r"src/frontend\.h is not"),
    "table": (replace("src/frontend_tables.h", "};", "};" + EVIL), r"src/frontend_tables\.h is not"),
    "number": (replace("src/frontend_tables.h", " 1,", " 2,"), r"src/frontend_tables\.h is not"),
    "detector": (append("src/detector.c", EVIL), r"src/detector\.c is not"),
    "label": (replace("src/detector_tables.h", "okay-nabu", 'okay", evil(), "'), r"src/detector_tables\.h is not"),
    "more code": (create("src/more.c", EVIL), r"src/more\.c is none of the files"),
    "shadow": (create("src/string.h", EVIL), r"src/string\.h is none of the files"),
    "folder": (create("src/arm_acle/arm.h", EVIL), r"src/arm_acle is not a plain file"),
    "sources": (replace("src/network.json", '"sources": [', '"sources": ["/tmp/evil.c",'), r"src/network\.json is not"),
    "dtype": (replace("src/network.json", '"int8"', '"float64"'), r"network\.json is not"),
    "layout's name": (replace("src/network.json", '"layout": "dsp"', '"layout": "x"'), "layout"),
    "description": (create("src/network.json", "[]"), "no readable description"),
    "no network": (remove("src/network.tflite"), r"lacks network\.tflite"),
    "no kernel": (remove("src/fully_connected.c"), r"lacks fully_connected\.c"),
    "damaged": (create("src/network.tflite", "nothing"), r"\.tflite"),
    "elsewhere": (elsewhere, r"src/network\.c is not"),
}

#: In firmware/, which `verify` and `bench` compile, and what is compiled here never comes from.
FIRMWARE: dict[str, tuple[Callable[[Path], None], str]] = {
    "self-test": (append("firmware/self_test.c", EVIL), r"firmware/self_test\.c of wake is not"),
    "vectors": (append("firmware/golden_vectors.h", EVIL), r"firmware/golden_vectors\.h of wake is not"),
    "audio": (append("firmware/golden_audio.h", EVIL), r"firmware/golden_audio\.h of wake is not"),
    "shadow": (create("firmware/stdint.h", EVIL), r"firmware/stdint\.h of wake is not"),
    "linker script": (append("firmware/boards/mps2.ld", "INPUT(/etc/passwd)\n"), r"firmware/boards/mps2\.ld of wake"),
    "flags": (append("firmware/programs.flags", "-wrapper evil\n"), r"firmware/programs\.flags of wake is not"),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("what", FORGED)
def test_code_of_others_is_refused_before_a_compiler_starts(what: str, bundle: Path) -> None:
    change, message = FORGED[what]
    change(bundle)
    forge(bundle)
    for use in (load, verify, benchmark):
        with pytest.raises(EdgekitError, match=message):
            use(bundle)
    if what in ("network", "shadow"):
        with pytest.raises(BadInput, match="compiling somebody else's code would run it") as caught:
            load(bundle)
        assert "Export it again" in caught.value.hint and "CMakeLists.txt" in caught.value.hint


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("what", FIRMWARE)
def test_firmware_of_others_is_refused_before_a_compiler_starts(
    what: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, message = FIRMWARE[what]
    change(bundle)
    forge(bundle)
    with pytest.raises(BadInput, match=message):
        benchmark(bundle)
    for done_here in ("check_structure", "prove"):  # which compile what is in src/, and that is good
        monkeypatch.setattr(f"edgekit.bundles.golden.{done_here}", lambda *_: ({}, {}, {}))
    with pytest.raises(BadInput, match=message):
        verify(bundle)


@pytest.mark.usefixtures("untouched")
def test_a_manifest_cannot_have_code_checked_by_nobody(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append("src/network.c", EVIL)(bundle)

    def change(raw: dict[str, Any]) -> None:
        raw["recipe"] |= {"runtime": "onnxruntime", "exporter": "onnx"}
        raw["parts"] = []

    forge(bundle, change)
    monkeypatch.setattr(
        "edgekit.bundles.golden.prove", lambda *_: ({}, {}, {})
    )  # a model whose parts are .onnx would pass it
    for use in (verify, benchmark):
        with pytest.raises(BadInput, match="not on cortex-m4"):
            use(bundle)


@pytest.mark.usefixtures("untouched")
def test_files_of_two_networks_do_not_mix(bundle: Path, other: Path) -> None:
    """Each file is one that this edgekit generates, and this process has seen them all."""
    for folder in (bundle, other):
        EXPORTER.check(CHIP, folder)
    shutil.copyfile(other / "src" / "network_weights.h", bundle / "src" / "network_weights.h")
    forge(bundle)
    with pytest.raises(BadInput, match=r"network_weights\.h is not"):
        load(bundle)


@pytest.mark.usefixtures("untouched")
def test_links_are_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "src" / "network.c").rename(tmp_path / "network.c")
    (bundle / "src" / "network.c").symlink_to(tmp_path / "network.c")
    for use in (load, verify, benchmark):
        with pytest.raises(BadInput, match=r"link in place of src/network\.c"):
            use(bundle)
    for use_ in (lambda: EXPORTER.check(CHIP, bundle), lambda: RUNTIME.load(bundle / "src/network.c", 1)):
        with pytest.raises(BadInput, match="not a plain file"):
            use_()


@pytest.mark.usefixtures("untouched")
def test_a_worker_of_bench_refuses_too(bundle: Path) -> None:
    append("src/network.c", EVIL)(bundle)
    forge(bundle)
    with pytest.raises(EdgekitError, match=r"network\.c is not"):
        benchmark(bundle, device="host", processes=1, loops=1)


@pytest.mark.usefixtures("untouched")
def test_the_exporter_alone_does_not_open_what_nobody_checked(bundle: Path) -> None:
    with pytest.raises(BadInput, match="was not checked") as caught:
        RUNTIME.load(bundle / "src" / "frontend.c", 1)
    assert "edgekit.load" in caught.value.hint


def test_what_changes_after_the_check_is_not_compiled(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    EXPORTER.check(CHIP, bundle)
    files = vouching.read_vouched_files(bundle / "src")
    append("src/network.c", EVIL)(bundle)
    monkeypatch.setattr("edgekit.runtimes.qemu.build.read_vouched_files", lambda folder: files)
    runner = RUNTIME.load(bundle / "src" / "network.c", 1)
    assert runner.inputs[0].name == "window"


def test_an_untouched_bundle_works_and_soon(bundle: Path) -> None:
    checked: list[float] = []
    start = time.process_time()
    EXPORTER.check(CHIP, bundle)
    checked.append(time.process_time() - start)
    assert checked[0] < 1.5, "of the processor's time, without the compiler"
    answer = load(bundle).predict(str(bundle / "golden" / "input.wav")).output
    assert answer == json.loads((bundle / "manifest.json").read_text())["golden"]["output"]
    found = verify(bundle)
    assert found["device"].get("vectors", 1) > 0


def test_another_network_is_data(bundle: Path, other: Path) -> None:
    """A whole bundle of another network is as good: what it computes is for the golden input to say."""
    shutil.rmtree(bundle / "src")
    shutil.copytree(other / "src", bundle / "src")
    forge(bundle)
    load(bundle)


@pytest.mark.parametrize(
    "name", ["*\\ #error one\n", '*/ #error "two"', "*?\x3f/\n/ #error three", "/*\\/", "*" * 9 + "/"]
)
def test_a_name_in_a_network_stays_in_its_comment(name: str, tmp_path: Path) -> None:
    """Comments are what of a .tflite becomes text; generating would launder what leaves one."""
    bundle = export(tmp_path / "named", network(3, name))
    load(bundle)
    for line in (bundle / "src" / "network.c").read_text().splitlines():
        if "arena + " in line and "/* " in line:
            assert line.count("*/") == 1 and line.endswith(" */") and "\\" not in line
