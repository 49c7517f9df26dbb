"""Basic Pitch's own ONNX file as a torch module, so that every format can be made of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats.onnx import load, open_file
from edgekit.formats.onnx.translation import translate
from edgekit.models.music.shapes import KEYS, MOMENTS, WINDOW


class BasicPitch(nn.Module):
    """``audio`` float32 [1, 43844, 1] -> ``note`` and ``onset`` float32 [1, 172, 88] in 0..1.

    The file's third output, the contour in thirds of a semitone, is inside: notes are made of it.
    """

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.network = graph  # "graph" is a name of TorchScript's own

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        onset, note, _ = self.network(audio)
        return note, onset


def network(checkpoint: Checkpoint) -> BasicPitch:
    """The network of the .onnx of `checkpoint`.

    Raises:
        BadInput: another format, or a graph with other inputs or outputs.
    """
    if checkpoint.path.suffix != ".onnx":
        raise BadInput(f"Basic Pitch comes as its package's nmp.onnx, not as {checkpoint.path.name}.")
    facts = open_file(checkpoint.path).facts
    shapes = [spec.shape[1:] for spec in (*facts.inputs, *facts.outputs)]
    if shapes != [(WINDOW, 1), (MOMENTS, KEYS), (MOMENTS, KEYS), (MOMENTS, 3 * KEYS)]:
        raise BadInput(f"{checkpoint.path.name} has other inputs and outputs than Basic Pitch: {shapes}.")
    return BasicPitch(translate(load(checkpoint.path), [torch.zeros(1, WINDOW, 1)])).eval()
