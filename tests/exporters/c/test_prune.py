"""Channels that no input can change are taken out, and nothing else changes: every output stays, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from helpers.cases.c_networks import Batch
from helpers.cases.tflite_models import Builder
from numpy.typing import NDArray

from edgekit.core import TensorSpec
from edgekit.exporters.c.lowering import graph as c_graph
from edgekit.exporters.c.lowering.prune import prune
from edgekit.exporters.c.pruned import prune_file
from edgekit.formats.tflite import reader as tflite
from edgekit.runtimes.tflite_micro.runner import MicroRunner

CHANNELS = 12


def network(
    dead: tuple[int, ...] = (), zero: int = -128, same: bool = True, reader: bool = False, activation: int = 1
) -> bytes:
    """conv 1x1 -> depthwise 3x3 -> conv 1x1 -> average pool; the `dead` channels of the first have tiny scales.

    Args:
        zero: zero point of the first conv's output; with relu and -128 a dead channel is exactly the zero point.
        reader: something else reads the first conv's output, all of it.
    """
    rng, b = np.random.default_rng(4), Builder()

    def conv(source: int, target: int, inputs: int, outputs: int, scales: NDArray[Any]) -> None:
        values = rng.integers(-127, 128, (outputs, 1, 1, inputs)).astype(np.int8)
        w = b.tensor(values.shape, scale=scales, data=values)
        bias = b.tensor((outputs,), "int32", scales * 0.05, data=rng.integers(-4000, 4000, outputs).astype(np.int32))
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = activation
        b.add("CONV_2D", [source, w, bias], [target], options)

    scales = np.full(CHANNELS, 0.01)
    scales[list(dead)] = 1e-9
    size = 6 if same else 4
    x = b.tensor((1, 6, 6, 3), scale=0.05, zero=-3)
    first, second = b.tensor((1, 6, 6, CHANNELS), scale=0.05, zero=zero), b.tensor((1, size, size, CHANNELS), zero=-128)
    third, pooled = b.tensor((1, size, size, 5), scale=0.2, zero=-128), b.tensor((1, 1, 1, 5), scale=0.2, zero=-128)
    conv(x, first, 3, CHANNELS, scales)
    taps = rng.integers(-127, 128, (1, 3, 3, CHANNELS)).astype(np.int8)
    w = b.tensor(taps.shape, scale=np.full(CHANNELS, 0.01), data=taps, axis=3)
    bias = b.tensor(
        (CHANNELS,), "int32", np.full(CHANNELS, 5e-4), data=rng.integers(0, 2000, CHANNELS).astype(np.int32)
    )
    options = schema.DepthwiseConv2DOptionsT()
    options.padding, options.fusedActivationFunction, options.depthMultiplier = 0 if same else 1, activation, 1
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    b.add("DEPTHWISE_CONV_2D", [first, w, bias], [second], options)
    conv(second, third, CHANNELS, 5, np.full(5, 0.02))
    pool = schema.Pool2DOptionsT()
    pool.padding, pool.filterHeight, pool.filterWidth, pool.strideH, pool.strideW = 1, size, size, size, size
    b.add("AVERAGE_POOL_2D", [third], [pooled], pool)
    outputs = [pooled]
    if reader:
        outputs.append(b.tensor((1, 6, 6, CHANNELS), scale=0.1, zero=0))
        b.add("QUANTIZE", [first], outputs[1:], schema.QuantizeOptionsT())
    return b.finish([x], outputs)


def widths(content: bytes) -> list[int]:
    """Output channels of every operator of the pruned graph."""
    main = prune(tflite.read(content)).subgraphs[0]
    return [main.tensors[operator.outputs[0]].shape[-1] for operator in main.operators]


def test_outputs_stay(tmp_path: Path) -> None:
    """Bit for bit the specification's, on flat inputs and noise."""
    contents = [
        network(dead, zero, same, reader, activation)
        for dead in ((0, 3, 4, 5, 7, 9), tuple(range(8)))
        for zero, same, reader in ((-128, True, False), (-128, False, True), (-20, True, False), (-20, False, False))
        for activation in (0, 1, 3)
    ]
    batches = [Batch(tmp_path / layout, contents, layout) for layout in ("plain", "dsp")]
    for i, content in enumerate(contents):
        runners = [batch.runner(i) for batch in batches]
        specification = MicroRunner(content, runners[0].inputs, runners[0].outputs)
        rng = np.random.default_rng(0)
        seen = set()
        for call in range(40):
            value = (
                rng.integers(-128, 128, (1, 6, 6, 3)) if call % 2 else np.full((1, 6, 6, 3), rng.integers(-128, 128))
            )
            feeds = {"in0": value.astype(np.int8)}
            expected = specification(feeds)
            seen.add(expected["out0"].tobytes())
            for runner in runners:
                actual = runner(feeds)
                assert all(np.array_equal(values, actual[name]) for name, values in expected.items()), (i, call)
        assert len(seen) > 10, "outputs that never change would prove nothing"


@pytest.mark.parametrize("zero", [-128, -20])
def test_dead_channels_go(zero: int) -> None:
    assert widths(network((0, 3, 4, 5, 7, 9), zero, same=False))[1] == 8


def test_what_relu_holds_at_zero_goes_even_under_padding() -> None:
    content = network(tuple(range(8)))
    macs = sum(layer.macs for layer in c_graph.lower(tflite.read(content), "plain").layers)
    assert widths(content)[:2] != [CHANNELS, CHANNELS]
    assert macs < 0.7 * 36 * (3 * CHANNELS + 9 * CHANNELS + 5 * CHANNELS)


def test_a_network_without_dead_channels_is_left_alone() -> None:
    graph = tflite.read(network())
    assert prune(graph) is graph


def test_channels_that_something_else_reads_stay() -> None:
    assert widths(network(tuple(range(8)), reader=True))[0] == CHANNELS


@pytest.mark.parametrize("same", [True, False])
def test_the_file_beside_the_c_has_them_no_more_either(same: bool) -> None:
    """For other compilers: what they make of it answers the same, and nothing is left to take out."""
    content = network((0, 3, 4, 5, 7, 9), same=same)
    small = prune_file(content)
    graph = tflite.read(small)
    assert prune(graph) is graph and len(small) < len(content)
    sides = [
        tuple(TensorSpec(f"{side}{i}", main.tensors[k].dtype, main.tensors[k].shape) for i, k in enumerate(ends))
        for main in graph.subgraphs
        for side, ends in (("in", main.inputs), ("out", main.outputs))
    ]
    before, after = (MicroRunner(one, sides[0], sides[1]) for one in (content, small))
    rng = np.random.default_rng(0)
    for _ in range(20):
        feeds = {"in0": rng.integers(-128, 128, (1, 6, 6, 3)).astype(np.int8)}
        expected, found = before(feeds), after(feeds)
        assert all(np.array_equal(values, found[name]) for name, values in expected.items())


def test_a_file_without_such_channels_is_the_same_bytes() -> None:
    assert prune_file(network()) == network()
