"""The transcriber of Whisper on real weights and real speech."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.cases.whisper_cases import RATE
from numpy.typing import NDArray

from edgekit.models.whisper.loop.tokens import Tokens

# --- real weights ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def fp32(fp32_bundle: Any) -> Any:
    import edgekit

    return edgekit.load(fp32_bundle.path, threads=2)


@pytest.fixture(scope="session")
def int8(int8_bundle: Any) -> Any:
    import edgekit

    return edgekit.load(int8_bundle.path, threads=2)


@pytest.fixture(scope="session")
def generate(fp32_bundle: Any, real_state: Any) -> Callable[[Path], str]:
    """transformers' Whisper with the published weights: greedy, English, no timestamps."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    facts = fp32_bundle.manifest.facts["tokens"]
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            d_model=512,
            encoder_layers=6,
            decoder_layers=6,
            encoder_attention_heads=8,
            decoder_attention_heads=8,
            encoder_ffn_dim=2048,
            decoder_ffn_dim=2048,
        )
    )
    state = {
        f"model.{name}": torch.from_numpy(np.asarray(tensor, np.float32))
        for name, tensor in real_state.items()
        if not name.endswith("k_proj.bias")
    }
    model.load_state_dict({**state, "proj_out.weight": state["model.decoder.embed_tokens.weight"]})
    model.generation_config = GenerationConfig(
        suppress_tokens=facts["suppress"],
        begin_suppress_tokens=facts["suppress_at_begin"],
        lang_to_id={f"<|{code}|>": token for code, token in facts["languages"].items()},
        task_to_id={"transcribe": facts["transcribe"], "translate": facts["translate"]},
        no_timestamps_token_id=facts["no_timestamps"],
        is_multilingual=True,
        decoder_start_token_id=facts["start_of_transcript"],
        bos_token_id=facts["end_of_text"],
        eos_token_id=facts["end_of_text"],
        pad_token_id=facts["end_of_text"],
        max_length=448,
        return_timestamps=False,
        num_beams=1,
        do_sample=False,
    )
    model.eval()
    features, tokens = WhisperFeatureExtractor(feature_size=80), Tokens(fp32_bundle.path / "tokenizer.json")

    def text(path: Path) -> str:
        mel = features(read(path), sampling_rate=RATE, return_tensors="pt")
        with torch.inference_mode():
            ids = model.generate(mel["input_features"], language="en", task="transcribe")
        return tokens.text(ids[0].tolist()).strip()

    return text


def read(path: Path) -> NDArray[np.float32]:
    """A clip at 16 kHz in mono, all at once, without our reader."""
    import soxr

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    out: NDArray[np.float32] = soxr.resample(samples.mean(axis=1), rate, RATE)
    return out


def words(text: str) -> list[str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    out: list[str] = EnglishTextNormalizer()(text).split()
    return out


def error_rate(truths: list[str], texts: list[str]) -> float:
    """Words wrong in all, over words in all, by our own edit distance (jiwer is what the product uses)."""
    wrong = total = 0
    for truth, text in zip(truths, texts, strict=True):
        said, heard = words(truth), words(text)
        row = list(range(len(heard) + 1))
        for i, a in enumerate(said, 1):
            last, row[0] = row[0], i
            for j, b in enumerate(heard, 1):
                last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
        wrong, total = wrong + row[-1], total + len(said)
    return wrong / total


@pytest.mark.real
def test_fp32_says_what_transformers_says(
    fp32: Any, generate: Callable[[Path], str], speech: list[tuple[Path, str]], other_speech: list[Path]
) -> None:
    files = [path for path, _ in speech] + other_speech[::4]
    assert len(files) >= 8
    for path in files:
        ours = fp32.predict(path, language="en", temperatures=(0.0,), window=30.0)
        assert ours.details["windows"] == [30.0], path.name
        assert ours.output == generate(path), path.name


@pytest.mark.real
def test_the_tokenizer_is_written_without_white_space(fp32_bundle: Any) -> None:
    text = (fp32_bundle.path / "tokenizer.json").read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    assert len(text.encode()) == 1_443_155  # of 2,203,239


@pytest.mark.real
def test_a_prompt_has_the_tokens_of_the_original(fp32_bundle: Any) -> None:
    """whisper.tokenizer.get_tokenizer(multilingual=True).encode(" then the tribes")."""
    assert Tokens(fp32_bundle.path / "tokenizer.json").encode(" then the tribes") == [550, 264, 19035]


@pytest.mark.real
def test_int8_on_read_speech(int8: Any, speech: list[tuple[Path, str]]) -> None:
    results = [int8.predict(path) for path, _ in speech]
    assert {result.details["language"] for result in results} == {"en"}
    assert error_rate([text for _, text in speech], [result.output for result in results]) <= 0.03
    assert all(result.units["tokens"] > 5 for result in results)


@pytest.mark.real
def test_int8_is_close_to_fp32(int8: Any, fp32: Any, other_speech: list[Path]) -> None:
    texts = [[model.predict(path, language="en").output for path in other_speech[::2]] for model in (fp32, int8)]
    assert error_rate(*texts) <= 0.05


@pytest.mark.real
def test_the_language_of_english_clips(int8: Any, other_speech: list[Path]) -> None:
    for path in other_speech:
        details = int8.predict(path).details
        assert details["language"] == "en", path.name
        assert details["language_probability"] > 0.5


def check_segments(segments: list[dict[str, Any]], seconds: float) -> None:
    assert segments
    assert segments[0]["start"] >= 0
    for segment in segments:
        assert segment["start"] < segment["end"]
        assert segment["text"].strip()
    for before, after in itertools.pairwise(segments):
        assert before["end"] <= after["start"]
    assert segments[-1]["end"] <= seconds + 0.01


@pytest.mark.real
@pytest.mark.parametrize("beams", [1, 5])
def test_timestamps(int8: Any, speech: list[tuple[Path, str]], beams: int) -> None:
    texts = []
    for path, _ in speech:
        result = int8.predict(path, language="en", timestamps=True, beams=beams)
        check_segments(result.details["segments"], soundfile.info(path).duration)
        assert " ".join(segment["text"] for segment in result.details["segments"]) == result.output
        texts.append(result.output)
    assert error_rate([text for _, text in speech], texts) <= 0.05


@pytest.mark.real
def test_a_recording_longer_than_a_window(int8: Any, speech: list[tuple[Path, str]], other_speech: list[Path]) -> None:
    """Clips joined with half a second between them are heard as each alone."""
    clips, truths, length = [], [], 0
    for path in [*(path for path, _ in speech), *other_speech]:
        if length > 65 * RATE:
            break
        samples = read(path)
        clips += [samples, np.zeros(RATE // 2, np.float32)]
        truths.append(int8.predict(path, language="en").output)
        length += len(samples) + RATE // 2
    result = int8.predict(np.concatenate(clips), language="en")
    assert result.units["audio_seconds"] == pytest.approx(length / RATE)
    assert len(result.details["windows"]) >= 3
    check_segments(result.details["segments"], length / RATE)
    assert error_rate([" ".join(truths)], [result.output]) <= 0.05


@pytest.mark.real
def test_the_same_again(int8: Any, speech: list[tuple[Path, str]]) -> None:
    path = speech[0][0]
    first, again = (int8.predict(path, temperatures=(0.8,)) for _ in range(2))
    assert (first.output, first.details, first.units) == (again.output, again.details, again.units)


@pytest.mark.real
def test_noise_and_silence_say_nothing(int8: Any) -> None:
    noise = (0.002 * np.random.default_rng(0).standard_normal(5 * RATE)).astype(np.float32)
    assert len(int8.predict(noise, language="en").output) < 20
    assert int8.predict(np.zeros(5 * RATE, np.float32)).output == ""


@pytest.mark.real
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_the_estimates_of_size_and_memory(request: pytest.FixtureRequest, shared_data: Path, precision: str) -> None:
    """`fit` promises these before a download: the size within 3 %, the memory of a clip of 25 s within 15 %."""
    import subprocess
    import sys

    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process is read from /proc, which only Linux has")
    from edgekit.core import Recipe
    from edgekit.registry import find

    bundle = request.getfixturevalue(f"{precision}_bundle")
    model, recipe = find("models", "whisper-base"), Recipe("onnxruntime", precision)
    size = sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file())
    assert model.costs.size(recipe) == pytest.approx(size, rel=0.03)
    code = (
        "import sys, pathlib, numpy as np, soundfile, edgekit; "
        "clips = [soundfile.read(p, dtype='float32')[0] for p in sys.argv[2:]]; "
        "sound = np.concatenate(clips)[:25 * 16000]; "
        "assert len(sound) == 25 * 16000; "
        "assert edgekit.load(sys.argv[1], threads=2).predict(sound, language='en').output; "
        # ru_maxrss would count this test's own process, of which the new one was a copy for a moment.
        "status = pathlib.Path('/proc/self/status'); "
        "print(int(status.read_text().split('VmHWM:')[1].split()[0]) * 1024)"
    )
    files = sorted((shared_data / "librispeech-test-other").rglob("*.flac"))[:8]
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle.path), *map(str, files)], check=True, capture_output=True, timeout=300
    )
    peak = int(done.stdout)
    estimate = model.costs.memory(recipe)
    assert estimate == pytest.approx(peak, rel=0.15), f"peak {peak / 1e6:.0f} MB, estimate {estimate / 1e6:.0f} MB"
