"""A phone's processor without a phone: llama.cpp for 64-bit Arm under user-mode emulation says the same as here.

Fidelity: emulated. Right answers, and no milliseconds.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import absent

import edgekit
from edgekit import _llama_build, llama
from edgekit.errors import MissingExtra
from edgekit.exporters.gguf import EXPORTER

#: One prompt each for prose, a list of numbers, and code: what is generated must not hang on a near tie.
PROMPTS = ("The capital of France is", "1, 2, 3, 4,", "def add(a, b):")
TOKENS = 8


@pytest.fixture(scope="module")
def program() -> list[str]:
    ok, _, remedy = llama.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    emulator = shutil.which("qemu-aarch64")
    if emulator is None:
        pytest.skip("there is no qemu-aarch64 (apt-get install qemu-user)")
    try:
        return [emulator, "-cpu", "cortex-a76", str(_llama_build.build_arm64())]
    except MissingExtra as exc:
        pytest.skip(str(exc))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", ["q8_0", "q4_0", "q4_k_m"])
def test_a_bundle_for_android_says_the_same_on_emulated_arm(program: list[str], tmp_path: Path, precision: str) -> None:
    bundle = edgekit.export("smollm2-135m", "android", precision=precision, out=tmp_path / "bundle", fallback=False)
    file = bundle.path / bundle.manifest.parts[0].file
    runner = EXPORTER.load(file, 2)
    for prompt in PROMPTS:
        here = runner.detokenize(list(runner.generate(runner.tokenize(prompt), most=TOKENS))).decode()
        done = subprocess.run([*program, "-m", str(file), "-n", str(TOKENS), prompt], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.strip() == f"{prompt}{here}".strip()
