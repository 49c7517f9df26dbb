"""MediaPipe's networks: anchors, other files in their place, and the translation beside LiteRT's own interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.tflite_models import Case, product

from edgekit.common import package_data
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats import tflite
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.formats.tflite.translation import translate_graph
from edgekit.models.mediapipe.networks import AnchorDetector, anchors, read
from edgekit.registry import find, names
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources.fetching import fetch
from edgekit.tasks.resolved import predictor_of

MEMBERS = [name for name in names("models") if find("models", name).identity.family == "mediapipe"]


def test_anchors_are_the_middles_of_cells() -> None:
    centres = anchors(128, ((8, 2), (16, 6)))
    assert centres.shape == (896, 2)
    assert centres[:3].tolist() == [[0.03125, 0.03125], [0.03125, 0.03125], [0.09375, 0.03125]]
    assert centres[512].tolist() == [0.0625, 0.0625] and centres[-1].tolist() == [0.9375, 0.9375]


@pytest.mark.parametrize(("name", "count"), [("blazeface", 896), ("hand-landmarks", 2016), ("pose-landmarks", 2254)])
def test_detectors_have_as_many_boxes_as_anchors(name: str, count: int) -> None:
    (boxes, logits, points) = find("models", name).network.parts[0].outputs
    assert boxes.shape == (1, count, 4) and logits.shape == (1, count, 1) and points.shape[1] == count


def test_an_anchor_without_a_change_is_a_box_of_its_size() -> None:
    class Raw(torch.nn.Module):
        def forward(self, values: Any) -> Any:
            assert values.min() == -1.0 and values.shape == (1, 128, 128, 3)
            raw = torch.zeros(1, 1, 8)
            raw[..., 2:4] = 64
            return raw, torch.ones(1, 1, 1)

    module = AnchorDetector(Raw(), 128, torch.tensor([[0.5, 0.25]]), signed=True)
    boxes, logits, points = module(torch.zeros(1, 128, 128, 3, dtype=torch.uint8))
    assert boxes.tolist() == [[[0.25, 0.0, 0.75, 0.5]]] and logits.item() == 1
    assert points.tolist() == [[[0.5, 0.25, 0.5, 0.25]]]


def test_another_network_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(product(Case(), "CONV_2D"))
    checkpoint = read_checkpoint(tmp_path / "a.tflite")
    with pytest.raises(BadInput, match="of other shapes"):
        read(checkpoint, "a.tflite", (1, 128, 128, 3), ())
    with pytest.raises(BadInput, match=r"lack b\.tflite"):
        read(Checkpoint(tmp_path, "pytorch", {}, {}, {}), "b.tflite", (1,), ())


@pytest.mark.real
@pytest.mark.parametrize("name", MEMBERS)
def test_the_translation_computes_what_litert_computes(name: str, tmp_path: Path) -> None:
    interpreter_of = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    folder, source = fetch(find("models", name).weights.sources)
    picture = np.asarray(_golden(), np.float32) / 255
    for file in source.files:
        graph = tflite.read((folder / file.name).read_bytes())
        main = graph.subgraphs[0]
        size = main.tensors[main.inputs[0]].shape[1]
        values = np.ascontiguousarray(picture[100 : 100 + size, 150 : 150 + size][None])
        interpreter = interpreter_of(str(folder / file.name))
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
        interpreter.invoke()
        with torch.inference_mode():
            outputs = translate_graph(graph)(torch.from_numpy(values))
        for facts, output in zip(interpreter.get_output_details(), outputs, strict=True):
            wanted = interpreter.get_tensor(facts["index"])
            assert output.numpy() == pytest.approx(wanted, abs=1e-3 * max(1.0, float(np.abs(wanted).max())))


def _golden() -> Any:
    from PIL import Image

    with package_data.stream_of("data/golden/astronaut.png").open("rb") as file:
        return Image.open(file).convert("RGB").resize((512, 512))


@pytest.mark.real
@pytest.mark.parametrize(("name", "thing"), [("hand-landmarks", "hand"), ("pose-landmarks", "person")])
def test_points_lie_on_what_the_golden_picture_shows(name: str, thing: str) -> None:
    model = find("models", name)
    folder, _ = fetch(model.weights.sources)
    checkpoint = read_checkpoint(folder)
    parts = {part.name: reference_of(part, part.build(checkpoint)) for part in model.network.parts if part.build}
    facts = model.weights.prepare(checkpoint, folder)
    assert all(max(link) < len(facts["names"]) for link in facts["links"])
    (seen,) = predictor_of(model, parts, folder, facts).predict(package_data.stream_of(model.task.golden)).metric_input
    assert seen["label"] == thing and len(seen["points"]) == len(facts["names"])
    if thing == "hand":  # its fingers point to the upper right, seen from the wrist below them
        wrist, tips = seen["points"][0], seen["points"][8:21:4]
        assert all(x > wrist[0] and y < wrist[1] for x, y in tips)
        assert all(100 < x < 190 and 90 < y < 170 for x, y in seen["points"])
