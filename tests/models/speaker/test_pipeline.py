"""Speaker models: graphs against other formulations, trials, comparing clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.models.speaker.frontend import Frontend, LevelledFrontend, filters
from edgekit.models.speaker.networks import ecapa, ge2e
from edgekit.models.speaker.pipeline import EcapaVerifier, stretch_starts, window_starts
from edgekit.models.speaker.shapes import AURALIS, GE2E, SPEECHBRAIN, Filterbank
from edgekit.registry import find
from edgekit.runtimes.torch.runner import reference_of
from edgekit.tasks.audio_speaker_verification import operate, samples

ECAPA = find("models", "ecapa-tdnn")


# --- frontends -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bank", [SPEECHBRAIN, AURALIS, GE2E], ids=["speechbrain", "auralis", "ge2e"])
def test_a_filterbank_is_that_of_a_fourier_transform(bank: Filterbank) -> None:
    audio = 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(400) if bank.window == "hann" else torch.hamming_window(400)
    mode = "constant" if bank.padding == "none" else bank.padding
    spectrum = torch.stft(
        audio, 400, bank.hop, window=window, center=bank.padding != "none", pad_mode=mode, return_complex=True
    )
    expected = torch.tensor(filters(bank)) @ spectrum.abs() ** 2
    if bank.decibels:
        expected = 10 * torch.log10(expected.clamp(min=1e-10))
    if bank.range:
        expected = torch.maximum(expected, expected.max() - bank.range)
    if bank.centred:
        expected = expected - expected.mean(dim=2, keepdim=True)
    assert torch.allclose(Frontend(bank)(audio), expected, rtol=1e-4, atol=1e-3)


def test_quiet_clips_are_raised_and_loud_ones_are_not() -> None:
    front = LevelledFrontend(GE2E, -30.0)
    audio = torch.randn(1, 25_840, generator=torch.Generator().manual_seed(0)) * 1e-3
    raised = front(audio, audio.square().mean().sqrt()[None])
    plain = front(audio * 31.6228, torch.tensor([1.0]))  # from -60 to -30 dB, and said to be loud
    assert torch.allclose(raised, plain, rtol=0.02)


# --- networks --------------------------------------------------------------------------------------------------------


def speechbrain_state(channels: int, kernels: tuple[int, ...], aggregated: int) -> dict[str, np.ndarray]:
    """Random weights in SpeechBrain's own names."""
    rng = np.random.default_rng(0)
    state: dict[str, np.ndarray] = {}

    def conv(name: str, out: int, into: int, kernel: int = 1) -> None:
        state[f"{name}.conv.weight"] = rng.normal(0, (into * kernel) ** -0.5, (out, into, kernel)).astype(np.float32)
        state[f"{name}.conv.bias"] = rng.normal(0, 0.1, out).astype(np.float32)

    def norm(name: str, size: int) -> None:
        for field in ("weight", "running_var"):
            state[f"{name}.norm.{field}"] = rng.uniform(0.5, 1.5, size).astype(np.float32)
        for field in ("bias", "running_mean"):
            state[f"{name}.norm.{field}"] = rng.normal(0, 0.1, size).astype(np.float32)
        state[f"{name}.norm.num_batches_tracked"] = np.array(1)

    def layer(name: str, out: int, into: int, kernel: int = 1) -> None:
        conv(f"{name}.conv", out, into, kernel)
        norm(f"{name}.norm", out)

    layer("blocks.0", channels, 80, kernels[0])
    for i, kernel in enumerate(kernels[1:-1], 1):
        layer(f"blocks.{i}.tdnn1", channels, channels)
        for j in range(7):
            layer(f"blocks.{i}.res2net_block.blocks.{j}", channels // 8, channels // 8, kernel)
        layer(f"blocks.{i}.tdnn2", channels, channels)
        conv(f"blocks.{i}.se_block.conv1", 16, channels)
        conv(f"blocks.{i}.se_block.conv2", channels, 16)
    layer("mfa", aggregated, channels * (len(kernels) - 2), kernels[-1])
    layer("asp.tdnn", 16, 3 * aggregated)
    conv("asp.conv", aggregated, 16)
    norm("asp_bn", 2 * aggregated)
    conv("fc", 192, 2 * aggregated)
    return state


@pytest.mark.parametrize(("channels", "aggregated"), [(32, 48), (1024, 1536)])
def test_ecapa_reads_its_size_from_speechbrains_tensors(channels: int, aggregated: int) -> None:
    network = ecapa.network(speechbrain_state(channels, (5, 3, 3, 3, 1), aggregated))
    with torch.inference_mode():
        out = network(torch.randn(1, 80, 40, generator=torch.Generator().manual_seed(0)))
    assert out.shape == (1, 192)
    assert float(out.norm()) == pytest.approx(1.0, abs=1e-5)
    dilations = [block.res2net_block.blocks[0].conv.dilation for block in network.blocks[1:]]
    assert dilations == [(2,), (3,), (4,)]


def test_the_attention_is_speechbrains_one_convolution() -> None:
    state = speechbrain_state(16, (5, 3, 1), 24)
    network, given = ecapa.network(state), ecapa.plain(state)
    x = torch.randn(1, 24, 30, generator=torch.Generator().manual_seed(0))
    mean, deviation = x.mean(2, keepdim=True), x.std(2, correction=0, keepdim=True)
    beside = torch.cat([x, mean.expand_as(x), deviation.expand_as(x)], dim=1)
    weight, bias = (torch.tensor(given[f"asp.tdnn.conv.{field}"]) for field in ("weight", "bias"))
    inner = network.asp.norm(torch.relu(torch.nn.functional.conv1d(beside, weight, bias)))
    weights = torch.softmax(network.asp.conv(torch.tanh(inner)), dim=2)
    mean = (weights * x).sum(2)
    expected = torch.cat([mean, ((weights * x**2).sum(2) - mean**2).sqrt()], dim=1)
    with torch.inference_mode():
        assert torch.allclose(network.asp(x)[:, :, 0], expected, atol=1e-4)


def test_other_weights_are_refused() -> None:
    state = speechbrain_state(16, (5, 3, 1), 24)
    with pytest.raises(BadInput, match="ECAPA"):
        ecapa.network({"a": np.zeros(3)})
    with pytest.raises(BadInput, match="asp_bn"):
        ecapa.network({name: value for name, value in state.items() if name != "asp_bn.norm.weight"})
    bias = next(name for name in state if name.startswith("fc") and name.endswith("bias"))
    with pytest.raises(BadInput, match=r"are \[191\], not \[192\]"):
        ecapa.network({**state, bias: state[bias][:-1]})
    with pytest.raises(BadInput, match="GE2E"):
        ge2e.network({})


# --- trials ----------------------------------------------------------------------------------------------------------


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_trials_of_speaker_folders(tmp_path: Path) -> None:
    found = samples(touched(tmp_path, "a/1.wav", "a/2.wav", "b/1.wav", "notes.txt"))
    assert [(sample.name, sample.truth) for sample in found] == [
        ("a/1.wav|a/2.wav", True),
        ("a/1.wav|b/1.wav", False),
        ("a/2.wav|b/1.wav", False),
    ]


def test_of_many_pairs_an_even_choice(tmp_path: Path) -> None:
    found = samples(touched(tmp_path, *(f"{s:02}/{i}.wav" for s in range(12) for i in range(10))))
    truths = [sample.truth for sample in found]
    assert (len(found), sum(truths)) == (4000, 540)  # all 540 of one speaker, and of the others as many as remain
    assert len({sample.name for sample in found}) == 4000


@pytest.mark.parametrize(
    ("names", "reason"),
    [((), "no sound"), (("a/1.wav", "a/2.wav"), "one speaker"), (("a/1.wav", "b/1.wav"), "no two clips"),
     (("a/1.wav", "b/1.wav", "b/2.wav", "c.wav"), "beside")],
)  # fmt: skip
def test_folders_without_trials(tmp_path: Path, names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        samples(touched(tmp_path, *names))


def test_a_flat_folder_has_no_truths(tmp_path: Path) -> None:
    assert [sample.truth for sample in samples(touched(tmp_path, "1.wav", "2.flac"))] == [None, None]


def test_the_threshold_lies_where_both_errors_are_equal() -> None:
    point = operate([0.9, 0.8, 0.4, 0.5, 0.2, 0.1], [True, True, True, False, False, False], {})
    assert [point["misses"], point["false_alarms"]] == pytest.approx([1 / 3, 1 / 3])
    assert 0.4 < point["threshold"] < 0.8
    with pytest.raises(BadInput, match="trials of two"):
        operate([0.5], [True], {})


# --- the pipeline ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verifier() -> EcapaVerifier:
    state = speechbrain_state(16, (5, 3, 1), 24)
    checkpoint = Checkpoint(Path(), "pytorch", {f"ecapa_state_dict.{n}": v for n, v in state.items()}, {}, {})
    parts = {part.name: reference_of(part, part.build(checkpoint)) for part in ECAPA.network.parts if part.build}
    return EcapaVerifier(parts, Path(), ECAPA.weights.prepare(checkpoint, Path()))


def noise(seconds: float, seed: int = 0) -> Any:
    return (0.1 * np.random.default_rng(seed).normal(size=int(16_000 * seconds))).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.3, 3.0, 7.1])
def test_any_length_becomes_a_direction(verifier: EcapaVerifier, seconds: float) -> None:
    found = verifier.predict(noise(seconds))
    assert np.linalg.norm(found.details["embedding"]) == pytest.approx(1.0, abs=1e-5)
    assert bool(found.details["notes"]) == (seconds < 3)


def test_clips_without_a_voice(verifier: EcapaVerifier, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"not audio")
    broken = noise(1.0)
    broken[5] = np.nan
    cases = ((noise(0.1), "0.25 s"), (np.zeros(16_000, np.float32), "silent"), (broken, "not numbers"))
    for sample, reason in (*cases, (str(tmp_path / "x.wav"), r"x\.wav"), (str(tmp_path / "none.wav"), "no file")):
        with pytest.raises(BadInput, match=reason):
            verifier.predict(sample)


def test_clips_side_by_side(verifier: EcapaVerifier, tmp_path: Path) -> None:
    import soundfile

    paths = [str(tmp_path / f"{i}.wav") for i in range(3)]
    for i, path in enumerate(paths):
        soundfile.write(path, noise(3.2, i % 2), 16_000)
    pair = verifier.predict((paths[0], paths[2]))
    assert pair.details["same"] is True
    assert pair.score == pytest.approx(1.0, abs=1e-5)
    assert verifier.together(paths[:2]).details["score"] == pytest.approx(verifier.predict(tuple(paths[:2])).score)
    table = verifier.together(paths, threshold=1.0 - 1e-4)
    assert [entry["same"] for entry in table.details["pairs"]] == [False, True, False]
    assert len(str(table.output).splitlines()) == 3
    with pytest.raises(BadInput, match="option"):
        verifier.predict(paths[0], thresold=0.5)


@pytest.mark.parametrize(("clip", "most"), [(1, 10), (10, 10), (11, 10), (25, 10), (100, 7)])
def test_windows_cover_a_clip(clip: int, most: int) -> None:
    starts = window_starts(clip, most)
    heard = {i for start in starts for i in range(start, start + most)}
    assert set(range(clip)) <= heard
    assert len(starts) == max(1, -(-clip // most))


def test_stretches_are_resemblyzers() -> None:
    """By hand: 3 s are 301 frames; stretches begin at 0, 77, 154 and 231's would be 69 of 160 frames: too few."""
    assert stretch_starts(48_000, 160, 77, 160, 0.75) == [0, 77, 154]
    assert stretch_starts(8_000, 160, 77, 160, 0.75) == [0]
