"""Preprocessing is transformers' own, on real pictures, texts and sounds; what cannot be reproduced is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.core import Feeds, ImportOptions, Runner, TensorSpec
from edgekit.errors import Unsupported
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import model_of
from edgekit.runtimes.torch.runner import TorchRunner
from edgekit.tasks.audio_classification import Sounds
from edgekit.tasks.common.audio import open_audio
from edgekit.tasks.common.pictures import open_image, pixels_of
from edgekit.tasks.common.tokens import Tokens
from edgekit.tasks.common.waveforms import Waveforms
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.evidence.speech import SPEECH
from edgekit.tasks.evidence.texts import SENTENCES

Networks = Callable[[str], Path]

_PICTURES = ("ViT", "DeiT", "Swin", "ConvNeXt", "ResNet", "DINOv2", "MobileViT", "MobileNetV2", "EfficientNet")


def facts_of(folder: Path, task: str = "") -> Mapping[str, Any]:
    model = model_of(str(folder), ImportOptions(task=task))
    return model.weights.prepare(read_checkpoint(folder), folder)


def entering(model: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a picture's graph hands to the network of transformers."""
    import torch

    held: list[Any] = []
    handle = model.network.register_forward_pre_hook(lambda _, args, kwargs: held.append(kwargs), with_kwargs=True)
    with torch.inference_mode():
        model(torch.from_numpy(pixels[None]))
    handle.remove()
    values: NDArray[np.float32] = held[0]["pixel_values"].numpy()
    return values


@pytest.mark.parametrize(("name", "task"), [*((name, "") for name in _PICTURES), ("CLIP", "image-feature-extraction")])
def test_pictures(network: Networks, name: str, task: str) -> None:
    from transformers import AutoImageProcessor

    folder = network(name)
    model = model_of(str(folder), ImportOptions(task=task))
    part = model.network.parts[0]
    facts = model.weights.prepare(read_checkpoint(folder), folder)
    assert part.build is not None
    graph = part.build(read_checkpoint(folder))
    theirs = AutoImageProcessor.from_pretrained(str(folder), backend="pil")
    for sample in PICTURES.samples(Path())[:6]:
        pixels, _ = pixels_of(sample.input, facts["resize"], facts["height"], facts["width"])
        wanted = theirs(open_image(sample.input)[0], return_tensors="np")["pixel_values"]
        np.testing.assert_allclose(entering(graph, pixels), wanted, atol=2e-5)


def test_a_processor_that_does_more_is_refused(network: Networks, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(network("ViT"), tmp_path / "vit"))
    path = folder / "preprocessor_config.json"
    stated = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**stated, "size": {"shortest_edge": 64, "longest_edge": 96}}), "utf-8")
    with pytest.raises(Unsupported, match="cannot be done on a device") as failure:
        model_of(str(folder))
    assert "--task tensors" in failure.value.hint
    path.unlink()
    with pytest.raises(Unsupported, match=r"no preprocessor_config\.json"):
        model_of(str(folder))


@pytest.mark.parametrize(
    ("name", "task"), [("BERT", ""), ("MiniLM", ""), ("ModernBERT", ""), ("CLIP", "feature-extraction")]
)
def test_texts(network: Networks, name: str, task: str) -> None:
    from transformers import AutoTokenizer

    folder = network(name)
    model = model_of(str(folder), ImportOptions(task=task))
    facts = model.weights.prepare(read_checkpoint(folder), folder)
    tokens, theirs = Tokens(folder, facts), AutoTokenizer.from_pretrained(str(folder))
    most = facts["tokenizer"]["most"]
    fixed = tuple(TensorSpec(spec.name, spec.dtype, (1, 24)) for spec in model.network.parts[0].inputs)
    samples = [str(sample.input) for sample in SENTENCES.samples(Path())[:12]]
    for text in (*samples, " ".join(samples), "a\tb  \u00e9\u4e2d"):
        feeds, cut = tokens.feeds(model.network.parts[0].inputs, text)
        wanted = theirs(text, truncation=True, max_length=most, return_tensors="np")
        padded = theirs(text, truncation=True, max_length=24, padding="max_length", return_tensors="np")
        filled, _ = tokens.feeds(fixed, text)
        assert cut == (len(theirs(text)["input_ids"]) > most)
        for spec in fixed:
            np.testing.assert_array_equal(feeds[spec.name], wanted[spec.name])
            np.testing.assert_array_equal(filled[spec.name], padded[spec.name])


def test_a_pair_of_texts(network: Networks) -> None:
    from transformers import AutoTokenizer

    folder = network("BERT")
    model = model_of(str(folder))
    tokens = Tokens(folder, model.weights.prepare(read_checkpoint(folder), folder))
    feeds, _ = tokens.feeds(model.network.parts[0].inputs, "a nation", "so conceived")
    wanted = AutoTokenizer.from_pretrained(str(folder))("a nation", "so conceived", return_tensors="np")
    for name, values in feeds.items():
        np.testing.assert_array_equal(values, wanted[name])
    assert feeds["token_type_ids"].max() == 1


def test_samples_of_wav2vec(network: Networks) -> None:
    from transformers import AutoFeatureExtractor

    folder = network("Wav2Vec2-CTC")
    waveforms = Waveforms(facts_of(folder))
    theirs = AutoFeatureExtractor.from_pretrained(str(folder))
    for sample in SPEECH.samples(Path())[:4]:
        sound = open_audio(sample.input, 16_000).window(0, 480_000)
        wanted = theirs(sound, sampling_rate=16_000, return_tensors="np")["input_values"]
        wave = next(waveforms.windows(sample.input, TensorSpec("input_values", "float32", (1, "samples"))))
        np.testing.assert_allclose(wave.samples, wanted, atol=1e-5)


class _Kept(Runner):
    """A network that only remembers what it gets."""

    def __init__(self, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.seen: list[Feeds] = []

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self.seen.append(feeds)
        return {spec.name: np.zeros([int(size) for size in spec.shape], np.float32) for spec in self.outputs}


def test_the_spectrum_of_ast(network: Networks) -> None:
    from transformers import ASTFeatureExtractor

    folder = network("AST")
    model = model_of(str(folder))
    checkpoint = read_checkpoint(folder)
    frontend, last = model.network.parts
    assert frontend.build is not None
    kept = _Kept(last.inputs, last.outputs)
    parts = {"frontend": TorchRunner(frontend, frontend.build(checkpoint)), "network": kept}
    predictor = Sounds(parts, folder, model.weights.prepare(checkpoint, folder))
    theirs = ASTFeatureExtractor.from_pretrained(str(folder))
    short = (0.1 * np.sin(np.arange(9000) / 5).astype(np.float32), 16_000)
    for sample in (*(sample.input for sample in SPEECH.samples(Path())[:3]), short):
        sound = open_audio(sample, 16_000).window(0, 480_000)
        wanted = theirs(sound, sampling_rate=16_000, return_tensors="np")["input_values"]
        predictor.predict(sample)
        np.testing.assert_allclose(kept.seen[-1]["features"], wanted, atol=2e-3)
