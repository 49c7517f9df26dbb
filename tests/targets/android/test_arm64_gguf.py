"""Language models on emulated processors of phones: the same next tokens, and what is said where they are not."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import absent
from helpers.cases.gguf_files import llama_file
from numpy.typing import NDArray

import edgekit
from edgekit.cli.shown_bundle import show_device
from edgekit.errors import DeviceFailed, MissingExtra, ParityFailed
from edgekit.llama import library
from edgekit.numerics.parity import sample_outputs
from edgekit.registry import find
from edgekit.runtimes.llama_cpp import RUNTIME
from edgekit.targets.android.arm64 import emulated, gguf
from edgekit.targets.android.arm64.kit import Tools

PROVE = find("targets", "android").prove
TOKENS = np.arange(3, 100, dtype=np.int32)  # more than one batch


@pytest.fixture(scope="session")
def tools() -> Tools:
    try:
        library.bindings()
        return gguf.tools()
    except MissingExtra as exc:
        absent(str(exc))
        raise


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A Llama with random weights as a gguf bundle; only what `prove` looks at."""
    llama_file(tmp_path / "network.gguf")
    facts = {
        "recipe": {"exporter": "gguf", "precision": "f16"},
        "parts": [{"name": "network", "file": "network.gguf"}],
        "golden": {"reference": "reference.npz"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(facts))
    return tmp_path


def calls(bundle: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What this machine computes, which is the golden reference too."""
    feeds = {"tokens": TOKENS}
    made = [(feeds, RUNTIME.load(bundle / "network.gguf", 1)(feeds))]
    np.savez(bundle / "reference.npz", **{f"network/{key}": one for key, one in sample_outputs(made).items()})
    return made


def test_without_a_build_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("edgekit.targets.android.arm64.kit.shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(MissingExtra, match="was not built") as caught:
        gguf.tools()
    assert "make phone-llama" in caught.value.hint


def logits(*rows: list[float]) -> list[dict[str, NDArray[Any]]]:
    return [{"logits": np.array(rows, np.float32)}]


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (logits([0, 1, 2], [3, 0, 0]), {"positions": 2, "same": 2}),
        (logits([0, 2.5, 2], [3, 0, 0]), {"positions": 2, "same": 1, "first": 0, "margin": 1.0}),
        (logits([0, 2.5, 2], [0, 9, 0]), {"positions": 2, "same": 0, "first": 0, "margin": 3.0}),
    ],
)
def test_next_tokens_are_compared(there: list[dict[str, Any]], found: dict[str, Any]) -> None:
    assert gguf.greedy(there, logits([0, 1, 2], [3, 0, 0])) == found


@pytest.mark.parametrize(
    ("off", "mine", "wrong"),
    [
        ({"fp32": 0.0647, "here": 0.0386}, 0.0632, False),  # q8_0, as in docs/phones.md
        ({"fp32": 0.4473, "here": 0.048}, 0.4492, False),  # q4_0
        ({"fp32": 0.19, "here": 0.19}, 0.18, True),
        ({"fp32": 0.0, "here": 0.005}, 0.0, False),
        ({"fp32": 0.0, "here": 0.02}, 0.0, True),
        ({"fp32": 0.06, "here": 0.05}, 0.03, True),  # nearer to here than to fp32, and further than here is
        ({"fp32": 0.1, "here": float("nan")}, 0.1, True),
    ],
)
def test_kernels_may_cost_what_the_type_costs(off: dict[str, float], mine: float, wrong: bool) -> None:
    with pytest.raises(ParityFailed, match="rounding of activations explains") if wrong else nullcontext():
        gguf.check("network", "cortex-a53", off, mine)


@pytest.mark.parametrize("precision", ["q4_k_m", "q4_0", "q2_k"])
@pytest.mark.parametrize("broken", ["zeros", "permuted tokens", "another position"])
def test_a_broken_kernel_is_refused(precision: str, broken: str) -> None:
    """Whatever the type costs: logits of zeros are exactly as far from fp32 as they are from here."""
    truth, noise = np.random.default_rng(6).standard_normal((2, 16, 64)).astype(np.float32)
    here = truth + {"q4_k_m": 0.18, "q4_0": 0.45, "q2_k": 0.95}[precision] * noise
    there = {"zeros": 0 * here, "permuted tokens": np.roll(here, 1, axis=1), "another position": here[::-1]}[broken]
    golden = {"network/0/logits": truth.reshape(-1)}
    part = {"name": "network"}
    with pytest.raises(ParityFailed, match="away from"):
        emulated.check_parity(gguf, part, precision, "cortex-a53", [{"logits": there}], [{"logits": here}], golden)


@pytest.mark.thorough
def test_a_model_gives_the_same_next_tokens_on_every_processor(
    tools: Tools, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = PROVE(bundle, {"network": calls(bundle)})
    for processor in emulated.PROCESSORS:
        off = found["parts"]["network"][processor]
        assert off["here"] < 1e-2
        assert off["greedy"]["same"] > 0.9 * len(TOKENS)
    assert "DOTPROD" in found["runtime"], "one of the two processors has products of bytes"
    assert any("DOTPROD" not in one for one in found["runtime"].split(", ")), "and the other has not"
    show_device(found)
    assert "next token as here at" in capsys.readouterr().out


@pytest.mark.thorough
def test_tokens_of_another_model_are_refused(tools: Tools, bundle: Path) -> None:
    for tokens in (np.array([], np.int32), np.array([-1], np.int32), np.array([1 << 20], np.int32), np.array([1.5])):
        with pytest.raises(DeviceFailed, match="the tokens are none of this model's"):
            emulated.emulate(tools, bundle / "network.gguf", [{"tokens": tokens}], "cortex-a53")


@pytest.mark.thorough
def test_what_is_no_model_is_refused(tools: Tools, bundle: Path) -> None:
    (bundle / "network.gguf").write_bytes(b"GGUF" + b"\xff" * 64)
    with pytest.raises(DeviceFailed, match=r"llama\.cpp cannot load the model: ."):
        emulated.emulate(tools, bundle / "network.gguf", [{"tokens": TOKENS}], "cortex-a76")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("precision", ["q4_k_m", "q8_0"])
def test_a_real_model_goes_on_with_the_same_tokens(tools: Tools, tmp_path: Path, precision: str) -> None:
    """What greedy decoding says here is fed to the processor, which would have said the same at every step."""
    bundle = edgekit.export(
        "smollm2-135m", "android", precision=precision, out=tmp_path / "bundle", fallback=False, evidence=False
    )
    file = bundle.path / bundle.manifest.parts[0].file
    runner = RUNTIME.load(file, 2)
    prompt = runner.tokenize("The capital of France is")
    said = list(runner.generate(prompt, most=8))
    for processor in emulated.PROCESSORS:
        (answer,), _ = emulated.emulate(tools, file, [{"tokens": np.array([*prompt, *said], np.int32)}], processor)
        assert answer["logits"][len(prompt) - 1 : -1].argmax(-1).tolist() == said
