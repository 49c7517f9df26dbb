"""Piper's voices: weights are known by the nodes that use them, and the parts compute what the whole file computes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.common.files import cache_folder
from edgekit.core import Checkpoint, Model, Recipe, Runner
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.vits.piper import voice
from edgekit.models.vits.shapes import BINS, MEDIUM, Shape
from edgekit.models.vits.sound import SoundDecoder
from edgekit.models.vits.spline import BOUND, inverse_spline
from edgekit.models.vits.text import TextEncoder
from edgekit.models.vits.weights import decoder, encoder
from edgekit.registry import find
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.evidence.spoken import SPOKEN
from edgekit.tasks.resolved import predictor_of

TINY = Shape(
    symbols=20,
    hidden=8,
    inner=16,
    layers=2,
    flows=2,
    wave_layers=2,
    channels=16,
    ups=((4, 8), (2, 4)),
    blocks=((3, (1, 2)), (5, (1,))),
)
SETTINGS = {
    "audio": {"sample_rate": 8000},
    "espeak": {"voice": "en-us"},
    "inference": {"noise_scale": 0.5, "length_scale": 0.8, "noise_w": 0.3},
    "phoneme_id_map": {letter: [number] for number, letter in enumerate("_^$ abcdefghij.,")},
}
JOE: Model = find("models", "piper-joe")
NAME = JOE.weights.assets[0]


def piper_file(file: Path, shape: Shape = TINY) -> tuple[TextEncoder, SoundDecoder]:
    """A file as Piper writes it, as far as it is read: constants by the original's names, those of normalised weights
    and of the table of phonemes by other names. Its modules with drawn weights."""
    torch.manual_seed(7)
    modules = TextEncoder(shape), SoundDecoder(shape)
    held: dict[str, Any] = {}
    for module in modules:
        for name, value in module.state_dict().items():
            torch.nn.init.normal_(value, std=0.2)
            held[name] = value.numpy()
    renamed = {name: f"onnx::Conv_{number}" for number, name in enumerate(held) if ".enc." in name and "weight" in name}
    renamed |= {"enc_p.emb.weight": "sid", "dp.flows.0.scale": "/dp/flows.0/Exp_output_0"}
    nodes = [
        helper.make_node("Conv", ["x", renamed[name], name.replace("weight", "bias")], [f"{name}.y"])
        for name in renamed
        if ".enc." in name
    ]
    nodes.append(helper.make_node("Gather", ["sid", "input"], ["embedded"]))
    nodes.append(helper.make_node("Sub", ["embedded", "dp.flows.0.m"], ["less"]))
    nodes.append(helper.make_node("Mul", ["less", renamed["dp.flows.0.scale"]], ["output"]))
    graph = helper.make_graph(
        nodes,
        "voice",
        [
            helper.make_tensor_value_info("input", TensorProto.INT64, [1, "n"]),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "c", "m"]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, renamed.get(name, name)) for name, value in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    model.ir_version = 8
    onnx.save(model, file)
    return modules[0].eval(), modules[1].eval()


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Checkpoint, TextEncoder, SoundDecoder]:
    modules = piper_file(tmp_path / "voice.onnx")
    (tmp_path / NAME).write_text(json.dumps(SETTINGS), encoding="utf-8")
    return read_checkpoint(tmp_path / "voice.onnx"), *modules


def tiny_model() -> Model:
    return voice(replace(JOE.identity, name="tiny-voice"), TINY, JOE.weights.sources[0])


def test_weights_are_known_by_the_nodes_that_use_them(tiny: tuple[Checkpoint, TextEncoder, SoundDecoder]) -> None:
    checkpoint, text, sound = tiny
    for made, wanted in ((encoder(checkpoint, TINY), text), (decoder(checkpoint, TINY), sound)):
        state = wanted.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in made.state_dict().items())
    weights = sum(value.numel() for module in (text, sound) for value in module.state_dict().values())
    assert weights == TINY.parameters


def test_other_weights_are_refused(tiny: tuple[Checkpoint, TextEncoder, SoundDecoder]) -> None:
    checkpoint = tiny[0]
    with pytest.raises(BadInput, match=r"are \[20, 8\], not \[20, 16\]"):
        encoder(checkpoint, replace(TINY, hidden=16))
    with pytest.raises(BadInput, match="lack"):
        decoder(checkpoint, replace(TINY, flows=3))
    with pytest.raises(BadInput, match=r"not as voice\.safetensors"):
        encoder(replace(checkpoint, path=Path("voice.safetensors")), TINY)


@pytest.mark.parametrize(
    "change",
    [
        {"phoneme_type": "text"},
        {"num_speakers": 4},
        {"phoneme_id_map": {"a": [1]}},
        {"phoneme_id_map": None},
        {"inference": {"noise_scale": 0.5, "length_scale": 0, "noise_w": 0.3}},
        {"audio": {}},
    ],
    ids=str,
)
def test_other_settings_are_refused(
    tiny: tuple[Checkpoint, TextEncoder, SoundDecoder], tmp_path: Path, change: dict[str, Any]
) -> None:
    (tmp_path / NAME).write_text(json.dumps(SETTINGS | change), encoding="utf-8")
    with pytest.raises(BadInput):
        tiny_model().weights.prepare(tiny[0], tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": ' * 3000], ids=["empty", "list", "cut", "deep"])
def test_settings_that_are_no_json_are_refused(
    tiny: tuple[Checkpoint, TextEncoder, SoundDecoder], tmp_path: Path, content: str
) -> None:
    (tmp_path / NAME).write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=r"holds no JSON object|is not JSON that can be read"):
        tiny_model().weights.prepare(tiny[0], tmp_path)


def test_a_tiny_voice_speaks_from_onnx_files_as_from_torch(
    tiny: tuple[Checkpoint, TextEncoder, SoundDecoder], tmp_path: Path
) -> None:
    model, exporter = tiny_model(), find("exporters", "onnx")
    out, work = tmp_path / "out", tmp_path / "work"
    out.mkdir(), work.mkdir()
    exporter.export(model, tiny[0], Recipe("onnxruntime", "fp32"), {}, out, work, lambda *_: None)
    facts = model.weights.prepare(tiny[0], tmp_path)
    assert facts["manner"]["speed"] == 1.25 and facts["hop"] == 8
    files = {
        part.name: find("runtimes", "onnxruntime").load(out / f"{part.name}.onnx", 1) for part in model.network.parts
    }
    answers = [
        predictor_of(model, parts, tmp_path, facts).predict("[[ abad, cafe. head! ]]")
        for parts in (files, references(model, tiny[0]))
    ]
    assert answers[0].output == answers[1].output and "2 sentences" in answers[0].output
    np.testing.assert_allclose(answers[0].score, answers[1].score, atol=1e-3)


def test_what_lies_behind_the_end_changes_nothing(tiny: tuple[Checkpoint, TextEncoder, SoundDecoder]) -> None:
    _, text, _ = tiny
    ids, noise = torch.tensor([[1, 0, 5, 0, 7, 0, 2]]), torch.randn(1, 2, 7)
    more = torch.nn.functional.pad
    with torch.inference_mode():
        whole = text(ids, torch.ones(1, 7), noise)
        longer = text(more(ids, (0, 9)), more(torch.ones(1, 7), (0, 9)), more(noise, (0, 9)))
    for short, long in zip(whole, longer, strict=True):
        torch.testing.assert_close(long[..., :7], short, atol=1e-5, rtol=1e-4)
    assert not longer[0][:, 7:].any()


def test_the_spline_rises_from_end_to_end_and_is_the_identity_outside() -> None:
    torch.manual_seed(1)
    y = torch.linspace(-7, 7, 561)[:, None]
    rules = [torch.randn(1, count).expand(len(y), count) for count in (BINS, BINS, BINS - 1)]
    x = inverse_spline(y, *rules)
    assert (x[1:] > x[:-1]).all()
    outside = y.abs() >= BOUND
    torch.testing.assert_close(x[outside], y[outside], atol=1e-4, rtol=0)
    assert (x - y)[~outside].abs().max() > 0.1


def references(model: Model, checkpoint: Checkpoint) -> dict[str, Runner]:
    return {part.name: reference_of(part, part.build(checkpoint)) for part in model.network.parts if part.build}


@pytest.fixture(scope="module")
def joe() -> tuple[Checkpoint, Path]:
    folder, _ = fetch(JOE.weights.sources, cache=cache_folder())
    return read_checkpoint(folder), folder


@pytest.mark.real
def test_the_parts_say_what_the_whole_file_says(joe: tuple[Checkpoint, Path]) -> None:
    checkpoint, folder = joe
    facts = JOE.weights.prepare(checkpoint, folder)
    speaker = predictor_of(JOE, references(JOE, checkpoint), folder, facts)
    whole = OnnxRunner(checkpoint.path, 1)
    table = facts["alphabet"]
    for sample in SPOKEN.samples(Path())[16:36:5]:
        made = speaker.predict(sample.input, noise=0, rhythm=0)
        ids = [*table["^"], 0, *(i for letter in made.details["phonemes"][0] for i in (*table[letter], 0)), *table["$"]]
        scales = np.array([0, 1, 0], np.float32)
        feeds = {"input": np.array([ids]), "input_lengths": np.array([len(ids)]), "scales": scales}
        wanted: NDArray[np.float32] = next(iter(whole(feeds).values())).ravel()
        np.testing.assert_allclose(made.score, wanted * (0.95 / np.abs(wanted).max()), atol=1e-3)


@pytest.mark.real
def test_every_weight_is_counted(joe: tuple[Checkpoint, Path]) -> None:
    parts = [module(joe[0], MEDIUM) for module in (encoder, decoder)]
    assert sum(value.numel() for module in parts for value in module.state_dict().values()) == JOE.network.parameters
