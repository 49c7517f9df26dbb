"""The emulator: right answers, exact counts, and everything that can go wrong in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.toys import tiny_network as tiny

from edgekit.errors import BadInput, DeviceFailed, MissingExtra, ParityFailed
from edgekit.registry import find
from edgekit.targets.microcontroller.emulator.counts import bench
from edgekit.targets.microcontroller.emulator.proof import self_test
from edgekit.targets.microcontroller.emulator.qemu import emulator_of, run
from edgekit.targets.microcontroller.emulator.toolchain import HOST, MACHINES, Machine, build
from edgekit.targets.microcontroller.firmware import pack
from edgekit.targets.microcontroller.golden_headers import write_golden_audio

pytestmark = pytest.mark.thorough

M4 = MACHINES["cortex-m4"]

machines = pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))


def change(bundle: Path, old: str, new: str) -> None:
    """Edit the network's C."""
    file = bundle / "src" / "network.c"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.usefixtures("tools")
@machines
def test_golden_vectors_pass_on_every_processor(machine: Machine, bundle: Path) -> None:
    assert self_test(bundle, machine).vectors == 5
    assert self_test(bundle, machine, vectors=tiny.vectors(50)).vectors == 50


@pytest.mark.usefixtures("tools")
def test_the_target_proves_and_measures(bundle: Path) -> None:
    target = find("targets", "cortex-m4")
    assert target.prove(bundle, {}) == {
        "device": "qemu",
        "board": "mps2-an386",
        "vectors": 5,
        "frames": 0,
        "differing": 0,
        "furthest": 0,
    }
    measured = target.measure(bundle)
    assert measured["fidelity"] == "emulated"
    assert {m.name for m in measured["measurements"]} >= {"network.instructions", "network.stack", "footprint.flash"}
    assert [layer["name"] for layer in measured["layers"]] == ["dense 4x4", "add one"]
    assert {item["name"] for item in measured["estimates"]} == {f"network on {board}" for board in target.boards}
    assert all(0 < item["low"] < item["high"] < 1e-4 and "cycles" in item["basis"] for item in measured["estimates"])


@pytest.mark.usefixtures("tools")
@machines
def test_counts_are_the_same_in_three_runs_and_layers_add_up(machine: Machine, bundle: Path) -> None:
    counts = bench(bundle, machine, repeats=2, runs=3)
    total = counts.inference[0]
    assert 100 < total < 400
    assert abs(sum(layer.instructions[0] for layer in counts.layers) - total) < 20
    assert counts.arena == counts.weights == 16
    assert 0 <= counts.stack < 200
    assert counts.footprint["ram"] >= 12 and 300 < counts.footprint["flash"] < 3000
    assert counts.footprint_sound is None


#: A loop of two instructions, a million times, in the place of a layer.
_LOOP = """
    int32_t count = 1000000;
#if defined(__riscv)
    __asm__ volatile("1: addi %0, %0, -1\\n bnez %0, 1b" : "+r"(count));
#elif defined(__arm__)
    __asm__ volatile("1: subs %0, %0, #1\\n bne 1b" : "+r"(count)::"cc");
#endif
"""


@pytest.mark.usefixtures("tools")
@machines
def test_the_clock_counts_every_instruction(machine: Machine, bundle: Path) -> None:
    change(bundle, "    add_one();", "    add_one();\n" + _LOOP)
    long = bench(bundle, machine, repeats=1, runs=1).inference[0]
    change(bundle, "1000000", "999001")
    assert long - bench(bundle, machine, repeats=1, runs=1).inference[0] == 2 * 999


@pytest.mark.usefixtures("tools")
def test_the_stack_mark_sees_what_a_call_uses(bundle: Path) -> None:
    shallow = bench(bundle, M4, runs=1).stack
    change(bundle, "    dense();", "    volatile int8_t deep[1000];\n    deep[0] = input[0];\n    dense();")
    assert 1000 <= bench(bundle, M4, runs=1).stack - shallow <= 1100


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("processor", ["cortex-m4", "cortex-m55", "riscv32"])
def test_sound_is_tested_and_counted(processor: str, sound_bundle: Path) -> None:
    machine = MACHINES[processor]
    passed = self_test(sound_bundle, machine)
    assert (passed.frames, passed.differing) == (10, 0)
    counts = bench(sound_bundle, machine)
    assert len(counts.frontend) == 10
    assert counts.footprint_sound and counts.footprint_sound["flash"] > counts.footprint["flash"]
    result = run(build(sound_bundle, machine, "example_sound", sound_bundle / "build"), machine)
    assert result.lines == ("200 ms: loud, score 194 of 255",)


@pytest.mark.usefixtures("tools")
def test_a_frontend_that_is_off_is_a_parity_failure(sound_bundle: Path, tmp_path: Path) -> None:
    samples = tiny.sound()
    wrong = tiny.features(samples) + np.int8(2)
    tiny.save_sound(sound_bundle, samples, wrong)
    pack(sound_bundle, "cortex-m4")
    with pytest.raises(ParityFailed, match="2 steps at most, 40 values"):
        self_test(sound_bundle, M4)
    write_golden_audio(tmp_path / "golden", samples, wrong, tolerance=2)
    result = run(build(sound_bundle, M4, "self_test", tmp_path / "work", golden=tmp_path / "golden"), M4)
    assert "frontend_furthest 2" in result.lines
    assert result.lines[-1] == "PASS"


@pytest.mark.usefixtures("tools")
def test_the_first_layer_that_diverges_is_named(bundle: Path) -> None:
    change(bundle, "sum >>= 3;", "sum >>= sizeof(void *) == 4 && input[0] < 0 ? 2 : 3;")
    with pytest.raises(
        ParityFailed, match=r"the first is \d, .* of 4 bytes differ\. Layer 0 \(dense 4x4\) is the first"
    ):
        self_test(bundle, M4)


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("machine", [M4, HOST], ids=["cortex-m4", "host"])
def test_golden_vectors_that_are_wrong_everywhere(machine: Machine, bundle: Path) -> None:
    vectors = tiny.vectors()
    vectors[3] = (vectors[3][0], vectors[3][1] ^ np.array([0, 0, 1, 0], np.int8))
    reason = "portable code" if machine == HOST else "Every layer gives what the same code gives"
    with pytest.raises(ParityFailed, match=f"1 of 5 golden .* first is 3, where 1 of 4 bytes differ. .*{reason}"):
        self_test(bundle, machine, vectors=vectors)


@pytest.mark.usefixtures("tools")
def test_golden_vectors_of_another_network(bundle: Path) -> None:
    with pytest.raises(BadInput, match="takes 4 bytes and gives 4"):
        self_test(bundle, M4, vectors=[(np.zeros(5, np.int8), np.zeros(4, np.int8))])


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("machine", [M4, MACHINES["riscv32"], HOST], ids=["cortex-m4", "riscv32", "host"])
def test_firmware_that_hangs_is_stopped(machine: Machine, bundle: Path) -> None:
    change(bundle, "    add_one();", "    for (volatile int i = 0;; i++) {\n    }")
    with pytest.raises(DeviceFailed, match=r"did not come to an end within 1\.5 s"):
        self_test(bundle, machine, timeout=1.5)


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("processor", ["cortex-m3", "cortex-m55", "riscv32"])
def test_firmware_that_crashes_says_where(processor: str, bundle: Path) -> None:
    change(bundle, "    add_one();", "    __builtin_trap();")
    with pytest.raises(DeviceFailed, match=r"self_test crashed on .*FAULT .* pc [0-9a-f]{8}"):
        self_test(bundle, MACHINES[processor])


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("processor", ["cortex-m3", "cortex-m7", "cortex-m55"])
def test_a_write_to_flash_is_a_fault_as_on_silicon(processor: str, bundle: Path) -> None:
    change(bundle, "    add_one();", "    add_one();\n    volatile int8_t *volatile nowhere = 0;\n    nowhere[8] = 1;")
    with pytest.raises(DeviceFailed, match="FAULT cfsr 000000"):
        self_test(bundle, MACHINES[processor])


@pytest.mark.usefixtures("tools")
@machines
def test_an_arena_overrun_is_found(machine: Machine, bundle: Path) -> None:
    change(bundle, "    add_one();", "    add_one();\n    int8_t *volatile end = input;\n    end[100] = 1;")
    for check in (self_test, bench):
        with pytest.raises(DeviceFailed, match="arena overrun"):
            check(bundle, machine)


def test_an_absent_emulator_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for machine in MACHINES.values():
        with pytest.raises(MissingExtra, match=r"qemu-system-.*\n.*make firmware-tools"):
            emulator_of(machine)


@pytest.mark.parametrize(
    "script, message",
    [
        ("echo 'unsupported machine type' >&2; exit 1", "failed on fw with exit code 1: unsupported machine type"),
        ("echo half a line; kill -SEGV $$", "failed on fw with exit code -11: half a line"),
    ],
)
def test_an_emulator_that_fails(script: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    emulator = tmp_path / "qemu-system-arm"
    emulator.write_text(f"#!/bin/sh\n{script}\n")
    emulator.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(DeviceFailed, match=message):
        run(tmp_path / "fw.elf", M4)


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "fw").write_text("")
    with pytest.raises(DeviceFailed, match="could not be started"):
        run(tmp_path / "fw", HOST)
