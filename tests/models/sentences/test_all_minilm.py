"""all-MiniLM-L6-v2: the network is transformers' own, padding changes nothing, and other weights are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from edgekit.common.files import cache_folder
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.sentences.network import Bert, network
from edgekit.models.sentences.shapes import MINILM, Shape
from edgekit.registry import find
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.resolved import predictor_of

SMALL = Shape(words=40, places=16, width=24, feed=32, heads=3, layers=2, least=1e-12)
MODEL = find("models", "all-minilm-l6-v2")


def transformer(shape: Shape) -> Any:
    """transformers' network of a shape, with drawn weights."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=shape.words,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed,
        max_position_embeddings=shape.places,
        layer_norm_eps=shape.least,
    )
    return transformers.BertModel(config, add_pooling_layer=False).eval()


def embedded(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens that the mask keeps, of length 1."""
    hidden = model(input_ids=ids, attention_mask=mask)[0][0, mask[0] == 1]
    return torch.nn.functional.normalize(hidden.mean(0, keepdim=True), dim=1)


def test_the_network_is_that_of_transformers() -> None:
    model = transformer(SMALL)
    mine = network({name: value.numpy() for name, value in model.state_dict().items()}, SMALL)
    ids, mask = torch.randint(0, SMALL.words, (1, 9)), torch.ones(1, 9, dtype=torch.int64)
    mask[:, 6:] = 0
    with torch.inference_mode():
        padded, plain = mine(ids, mask), mine(ids[:, :6], mask[:, :6])
        wanted = embedded(model, ids, mask)
    assert padded.numpy() == pytest.approx(wanted.numpy(), abs=1e-5)
    assert padded.numpy() == pytest.approx(plain.numpy(), abs=1e-5)


@pytest.mark.parametrize("shape", [SMALL, MINILM])
def test_parameters_are_counted(shape: Shape) -> None:
    with torch.device("meta"):
        assert sum(value.numel() for value in Bert(shape).parameters()) == shape.parameters


def test_other_weights_are_refused() -> None:
    tensors = {name: value.numpy() for name, value in transformer(SMALL).state_dict().items()}
    with pytest.raises(BadInput, match="lack 'embeddings"):
        network({}, SMALL)
    with pytest.raises(BadInput, match=r"are \[40, 24\], not \[30522, 384\]"):
        network(tensors, MINILM)


@pytest.mark.real
def test_similar_sentences_lie_near_each_other() -> None:
    folder, _ = fetch(MODEL.weights.sources, cache=cache_folder())
    checkpoint: Checkpoint = read_checkpoint(folder)
    (part,) = MODEL.network.parts
    assert part.build is not None
    parts = {part.name: reference_of(part, part.build(checkpoint))}
    predictor = predictor_of(MODEL, parts, folder, MODEL.weights.prepare(checkpoint, Path()))
    texts = ("A cat sits on the mat.", "A feline rests on a rug.", "The interest rate rose in March.")
    vectors = [np.array(predictor.predict(text).details["embedding"]) for text in texts]
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.5 > 0.1 > far
