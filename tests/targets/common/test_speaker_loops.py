"""The loop of speakers' voices in Java, Swift and JavaScript, beside the pipelines: the same embeddings. Toys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.devices.jvm import Peer
from helpers.toys.toy_whisper import Fake

from edgekit.core import Runner
from edgekit.models.speaker.pipeline import EcapaVerifier, Ge2eVerifier

Start = Callable[[Path, dict[str, Runner]], Peer]


@pytest.mark.parametrize("kind", ["windows", "stretches"])
def test_voices_of_any_length(tmp_path: Path, start: Start, kind: str) -> None:
    """Both ways to cut a clip, at lengths around their edges; the parts answer with sums of what they are given."""
    facts: dict[str, Any] = {"threshold": {"value": 0.6}}
    facts |= {"window": {"least": 8_000, "most": 40_000}} if kind == "windows" else {}
    rules = {"frames": 160, "step": 77, "hop": 160, "coverage": 0.75, "batch": 3}
    facts |= {"stretch": rules} if kind == "stretches" else {}

    def features(feeds: Any) -> dict[str, Any]:
        audio = feeds["audio"].astype(np.float64)
        sums = [audio[:, i::5].sum(axis=1) * (i + 1) for i in range(5)]
        return {"features": np.stack(sums, axis=1).astype(np.float32) + feeds.get("loudness", np.zeros(1, np.float32))}

    def embedding(feeds: Any) -> dict[str, Any]:
        values = feeds["features"] + np.float32(0.01)
        return {"embedding": values / np.linalg.norm(values, axis=1, keepdims=True)}

    parts: dict[str, Any] = {"frontend": Fake(features), "network": Fake(embedding)}
    audio = {"name": "audio", "dtype": "float32", "shape": ["clips", 159 * 160 + 400]}
    listed = [{"name": name, "file": name, "inputs": [audio], "outputs": []} for name in parts]
    told = {"model": "toy", "family": "speaker", "precision": "fp32", "answer": "", "parts": listed}
    told["limits"] = {part["name"]: 0.1 for part in listed}
    (tmp_path / "model.json").write_text(json.dumps({**told, "facts": facts}))
    python = (EcapaVerifier if kind == "windows" else Ge2eVerifier)(parts, tmp_path, facts)
    rng = np.random.default_rng(2)
    with start(tmp_path, parts) as peer:
        for length in (4_000, 7_999, 8_001, 25_600, 25_601, 38_000, 40_000, 40_001, 61_440, 80_001, 333_333):
            clip = rng.normal(0.02, 0.1, length).astype(np.float32)
            answer = peer.ask(audio=clip)
            np.testing.assert_allclose(answer["embedding"], python.predict(clip).details["embedding"], atol=1e-5)
        assert "at least" in peer.ask(audio=np.ones(3_999, np.float32))["error"]
        assert "silent" in peer.ask(audio=np.zeros(16_000, np.float32))["error"]
