"""Answers of imported networks are those that transformers gives to the same samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core import ImportOptions, Predictor
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import model_of
from edgekit.runtimes.torch.runner import reference_of
from edgekit.tasks.common.audio import open_audio
from edgekit.tasks.common.pictures import open_image
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.evidence.speech import SPEECH
from edgekit.tasks.resolved import predictor_of

Networks = Callable[[str], Path]
_TEXT = "We are met on a great battle-field of that war."


def answering(folder: Path, task: str = "", *, fixed: bool = False) -> Predictor:
    """The predictor over the fp32 reference, with dynamic axes or as litert gets it."""
    model = model_of(str(folder), ImportOptions(task=task))
    model = model.network.variants["planned axes"] if fixed else model
    checkpoint = read_checkpoint(folder)
    parts = {part.name: reference_of(part, part.build(checkpoint)) for part in model.network.parts if part.build}
    return predictor_of(model, parts, folder, model.weights.prepare(checkpoint, folder))


def theirs(kind: str, folder: Path, **inputs: Any) -> Any:
    import torch
    import transformers

    network = getattr(transformers, kind).from_pretrained(folder).eval()
    with torch.inference_mode():
        return network(**{name: torch.from_numpy(np.asarray(value)) for name, value in inputs.items()})


def encoded(folder: Path, *texts: str) -> dict[str, Any]:
    from transformers import AutoTokenizer

    return dict(AutoTokenizer.from_pretrained(str(folder))(*texts, return_tensors="np"))


@pytest.mark.parametrize("fixed", [False, True])
def test_labels_of_a_text(network: Networks, fixed: bool) -> None:
    folder = network("BERT")
    predictor = answering(folder, fixed=fixed)
    for sample, texts in (
        (_TEXT, (_TEXT,)),
        (f"{_TEXT}\tIt is altogether fitting.", (_TEXT, "It is altogether fitting.")),
    ):
        answer = predictor.predict(sample)
        logits = theirs("BertForSequenceClassification", folder, **encoded(folder, *texts)).logits[0].numpy()
        chances = np.exp(logits) / np.exp(logits).sum()
        assert answer.output == f"LABEL_{logits.argmax()}"
        scores = {entry["label"]: entry["score"] for entry in answer.details["scores"]}
        np.testing.assert_allclose([scores[f"LABEL_{i}"] for i in range(4)], chances, atol=1e-5)
    with pytest.raises(BadInput, match="empty"):
        predictor.predict("  ")
    assert predictor.predict("word " * 400).details["notes"]


@pytest.mark.parametrize("fixed", [False, True])
def test_a_sentence_is_the_mean_over_its_tokens(network: Networks, fixed: bool) -> None:
    folder = network("MiniLM")
    predictor = answering(folder, fixed=fixed)
    hidden = theirs("BertModel", folder, **encoded(folder, _TEXT)).last_hidden_state[0].numpy().mean(axis=0)
    vector = np.array(predictor.predict(_TEXT).details["embedding"])
    np.testing.assert_allclose(vector, hidden / np.linalg.norm(hidden), atol=1e-5)
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    pair = predictor.together([_TEXT, "A nation."])
    assert pair is not None
    assert str(pair.output).startswith("similarity ")
    assert predictor.predict((_TEXT, _TEXT)).score == pytest.approx(1.0)
    table = predictor.together(["one", "two", "three"])
    assert table is not None
    assert len(str(table.output).splitlines()) == 3


def test_a_gap(network: Networks) -> None:
    folder = network("RoBERTa")
    predictor = answering(folder)
    inputs = encoded(folder, "We are [MASK] on a great war.")
    logits = theirs("RobertaForMaskedLM", folder, **{k: v for k, v in inputs.items() if k != "token_type_ids"}).logits[
        0
    ]
    at = int(np.flatnonzero(inputs["input_ids"][0] == 4)[0])
    best = predictor.predict("We are [MASK] on a great war.", top=3).details["gaps"][0]
    assert [entry["id"] for entry in best] == logits[at].argsort(descending=True)[:3].tolist()
    with pytest.raises(BadInput, match="no gap"):
        predictor.predict("We are met.")


@pytest.mark.parametrize("fixed", [False, True])
def test_letters_of_a_sound(network: Networks, fixed: bool) -> None:
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

    folder = network("Wav2Vec2-CTC")
    predictor = answering(folder, fixed=fixed)
    letters = Wav2Vec2CTCTokenizer.from_pretrained(str(folder))
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(str(folder))
    sample = SPEECH.samples(Path())[0].input
    sound = open_audio(sample, 16_000).window(0, 480_000)
    inputs = extractor(sound, sampling_rate=16_000, return_tensors="np")
    values = inputs["input_values"]
    moments = theirs("Wav2Vec2ForCTC", folder, input_values=values).logits.shape[1]
    if fixed:  # filled up with zeros, as transformers fills a batch
        values = np.pad(values, ((0, 0), (0, 160_000 - values.shape[1])))
    best = theirs("Wav2Vec2ForCTC", folder, input_values=values).logits[0].argmax(-1)
    best = best[: max(moments, -(-len(best) * inputs["input_values"].shape[1] // values.shape[1]))]
    answer = str(predictor.predict(sample).output)
    wanted = " ".join(letters.decode(best).split())
    assert answer == wanted


def test_features_of_a_picture(network: Networks) -> None:
    from transformers import AutoImageProcessor, CLIPModel

    folder = network("CLIP")
    picture = PICTURES.samples(Path())[0].input
    pixels = AutoImageProcessor.from_pretrained(str(folder), backend="pil")(open_image(picture)[0], return_tensors="pt")
    wanted = CLIPModel.from_pretrained(folder).eval().get_image_features(**pixels)
    wanted = getattr(wanted, "pooler_output", wanted)[0].detach().numpy()
    vector = answering(folder, "image-feature-extraction").predict(picture).details["embedding"]
    np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-5)


def test_features_of_a_text_of_clip(network: Networks) -> None:
    from transformers import AutoTokenizer, CLIPModel

    folder = network("CLIP")
    tokens = AutoTokenizer.from_pretrained(str(folder))(_TEXT, return_tensors="pt")
    tokens.pop("token_type_ids", None)
    wanted = CLIPModel.from_pretrained(folder).eval().get_text_features(**tokens)
    wanted = getattr(wanted, "pooler_output", wanted)[0].detach().numpy()
    vector = answering(folder, "feature-extraction").predict(_TEXT).details["embedding"]
    np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-5)
