"""A whole network with int16 activations on the emulated processors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.cases.c_networks import specs
from helpers.cases.tflite_int16 import network

from edgekit.core import Part
from edgekit.exporters.c import arena, generate
from edgekit.exporters.c.lowering import graph
from edgekit.formats.tflite import reader
from edgekit.runtimes.tflite_micro.runner import MicroRunner
from edgekit.targets.microcontroller.emulator.proof import self_test
from edgekit.targets.microcontroller.emulator.toolchain import MACHINES
from edgekit.targets.microcontroller.firmware import pack

pytestmark = pytest.mark.thorough


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("processor", ["cortex-m4", "cortex-m55", "riscv32"])
@pytest.mark.parametrize("last", ["SOFTMAX", "LOGISTIC"])
def test_a_network_is_exact_on_the_chip(tmp_path: Path, processor: str, last: str) -> None:
    content = network(3, last)
    layout = {"cortex-m4": "dsp", "cortex-m55": "helium"}.get(processor, "plain")
    program = graph.lower(reader.read(content), layout)
    part = Part("network", *specs(program), {}, None)
    files, _ = generate.network_files(part, content, program, arena.plan(program))
    (tmp_path / "src").mkdir()
    for name, held in files.items():
        (tmp_path / "src" / name).write_bytes(held)
    specification = MicroRunner(content, part.inputs, part.outputs)
    inputs = (np.random.default_rng(0).standard_normal((50, 1, 12, 10, 2)) * 2).astype(np.float32)
    (tmp_path / "golden").mkdir()
    np.save(tmp_path / "golden" / "network.input.0.npy", inputs)
    outputs = np.stack([specification({"in0": value})["out0"] for value in inputs])
    np.save(tmp_path / "golden" / "network.output.0.npy", outputs)
    pack(tmp_path, processor)
    assert self_test(tmp_path, MACHINES[processor]).vectors == 50
