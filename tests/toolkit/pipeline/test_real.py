"""Bundles of real weights, as an app gets them: proven, refused when touched, and run without what made them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgekit
from edgekit.cli.command import run
from edgekit.core import Bundle
from edgekit.errors import BadInput, install_command

pytestmark = pytest.mark.real


@pytest.fixture
def copy(int8_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(int8_bundle.path, tmp_path / "bundle"))


def size(bundle: Bundle) -> float:
    """Megabytes of everything in the folder."""
    return sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file()) / 1e6


def test_sizes(int8_bundle: Bundle, fp32_bundle: Bundle) -> None:
    assert size(int8_bundle) <= 85
    assert 280 <= size(fp32_bundle) <= 310


@pytest.mark.slow  # two thirds of a minute; fp16 of smaller networks is in tests/exporters/onnx and test_loops_real.py
def test_the_size_in_half_precision(tmp_path: Path) -> None:
    half = edgekit.export(
        "whisper-base", "laptop", precision="fp16", out=tmp_path / "fp16", fallback=False, evidence=False
    )
    assert size(half) <= 160
    assert edgekit.verify(half.path)["parity"]["decoder"] < 0.02


def test_it_proves_itself_on_the_command_line(int8_bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(int8_bundle.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["parity"]) == {"frontend", "encoder", "decoder", "detector"}
    assert found["parity"]["frontend"] < 1e-3


def test_a_second_export_is_reused(int8_bundle: Bundle) -> None:
    again = edgekit.export(
        "whisper-base", "laptop", precision="int8", out=int8_bundle.path, fallback=False, evidence=False
    )
    assert again.reused


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "tokenizer.json", "README.md"])
def test_one_changed_byte_is_refused(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.seek((copy / name).stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    for use in (edgekit.load, edgekit.verify):
        with pytest.raises(BadInput, match=name):
            use(copy)


BLOCKED = """
import json, sys

class Hook:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hook())
from edgekit.cli import run
sys.exit(run(sys.argv[2:]))
"""


def blocked(modules: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where `modules` cannot be imported."""
    command = [sys.executable, "-c", BLOCKED, modules, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_it_runs_without_what_made_it(int8_bundle: Bundle) -> None:
    exporting = "torch,onnx,onnxscript,transformers,safetensors,huggingface_hub"
    clip = str(int8_bundle.path / "golden" / "input.flac")
    done = blocked(exporting, "run", str(int8_bundle.path), clip)
    # The golden answer goes through the detector of speech, which a short clip does without: a comma may differ.
    said = edgekit.load(int8_bundle.path).predict(clip).output
    assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr
    assert blocked(exporting, "verify", str(int8_bundle.path)).returncode == 0


@pytest.mark.parametrize(
    ("module", "options"), [("onnxruntime", ()), ("soundfile", ()), ("tokenizers", ("-o", "prompt=Kennedy"))]
)
def test_a_missing_extra_gives_the_line_that_installs_it(
    int8_bundle: Bundle, module: str, options: tuple[str, ...]
) -> None:
    """Text becomes tokens where a prompt is given; tokens become text without the library."""
    clip = str(int8_bundle.path / "golden" / "input.flac")
    done = blocked(module, "run", str(int8_bundle.path), clip, *options, "--json")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert told["error"] == "MissingExtra" and module in told["message"]
    assert install_command("run") in told["hint"] and "Traceback" not in done.stderr


def test_a_missing_torch_is_told_before_the_weights_are_read(tmp_path: Path, real_checkpoint: Any) -> None:
    done = blocked("torch", "export", "whisper-base", f"--out={tmp_path / 'b'}", "--json")
    assert done.returncode == 3, done.stderr
    assert install_command("export") in json.loads(done.stdout)["hint"]


def test_bad_sounds_are_one_clear_line_each(
    int8_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.wav").write_text("this is not audio")
    (tmp_path / "nothing.wav").write_bytes(b"")
    nan = np.full(16000, np.nan, np.float32)
    for name, samples in (("empty", nan[:0]), ("nan", nan), ("one", np.zeros(1, np.float32))):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000, subtype="FLOAT")
    names = ["text", "nothing", "empty", "nan", "one", "absent"]
    files = [str(tmp_path / f"{name}.wav") for name in names]
    assert run(["run", str(int8_bundle.path), *files]) == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == len(files)
    words = ["not audio", "not audio", "no samples", "not numbers", "too short", "no file"]
    assert [
        word for word, line, file in zip(words, lines, files, strict=True) if word not in line or file not in line
    ] == []


def test_odd_sounds_are_used_and_noted(int8_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples, rate = soundfile.read(int8_bundle.path / "golden" / "input.flac", dtype="float32")
    assert rate == 16000
    soundfile.write(tmp_path / "8bit.wav", samples, rate, subtype="PCM_U8")
    times = np.arange(int(len(samples) * 44100 / rate)) * rate / 44100
    stereo = np.interp(times, np.arange(len(samples)), samples)
    soundfile.write(tmp_path / "stereo.wav", np.stack([stereo, stereo], axis=1), 44100)
    soundfile.write(tmp_path / "zeros.wav", np.zeros(3 * rate, np.float32), rate)
    files = [str(tmp_path / name) for name in ("8bit.wav", "stereo.wav", "zeros.wav")]
    assert run(["run", str(int8_bundle.path), *files]) == 0
    out, err = capsys.readouterr()
    said = [line.partition(": ")[2] for line in out.splitlines()]
    assert all("ask what you can do for your country" in text for text in said[:2]) and said[2] == ""
    for note in ("8-bit samples", "downmixed from 2 channels", "resampled from 44100 Hz", "nothing to transcribe"):
        assert note in err
