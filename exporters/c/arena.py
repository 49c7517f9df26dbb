"""The arena: every tensor's place in one block of memory, planned ahead of time.

Two tensors may share bytes when no layer needs both. Placing them well is bin packing; the greedy rule that serves
inference runtimes best (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020) puts the
largest first into the lowest gap. Here several orders are tried and the smallest arena is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.exporters.c.lowering.graph import Program
from edgekit.exporters.c.lowering.layers import SIZES

_ALIGNMENT = 16


@dataclass(frozen=True)
class Plan:
    """Offsets in bytes: of every tensor with memory of its own, and of each layer's scratch; and the arena's size."""

    tensors: dict[int, int]
    scratch: dict[int, int]
    bytes: int


@dataclass
class _Block:
    """Bytes that are needed from the layer `first` to the layer `last`, both included."""

    key: int
    size: int
    first: int
    last: int


def plan(program: Program) -> Plan:
    """Place all tensors and scratch areas."""
    owner = _overlaid(program)
    blocks = {block.key: block for block in _lifetimes(program, owner)}
    scratch = [
        _Block(-1 - i, _align_size(layer.scratch), i, i) for i, layer in enumerate(program.layers) if layer.scratch
    ]
    every = [*blocks.values(), *scratch]
    orders: Sequence[Callable[[_Block], tuple[int, ...]]] = (
        lambda b: (-b.size, b.first),
        lambda b: (b.first, -b.size),
        lambda b: (-b.size * (b.last - b.first + 1), b.first),
        lambda b: (b.first - b.last, -b.size),
    )
    offsets, size = min((_place(sorted(every, key=order)) for order in orders), key=lambda placed: placed[1])
    roots = {program.root(i) for layer in program.layers for i in (*layer.inputs, *layer.outputs)}
    roots |= {program.root(i) for i in (*program.inputs, *program.outputs, *program.states)}
    return Plan(
        {index: offsets[owner(index)] for index in roots},
        {i: offsets[-1 - i] for i, layer in enumerate(program.layers) if layer.scratch},
        size,
    )


def largest(program: Program, count: int = 3) -> list[tuple[str, int]]:
    """The largest tensors, for the message of a model that does not fit: what makes them, and bytes.

    Converters make names of a hundred letters; an operator with its shapes says more.
    """
    sizes = {f"output of {layer.title}": _size(program, i) for layer in program.layers for i in layer.outputs}
    return sorted(sizes.items(), key=lambda item: -item[1])[:count]


def _size(program: Program, index: int) -> int:
    tensor = program.tensors[index]
    return tensor.count * SIZES[tensor.dtype]


def _align_size(size: int) -> int:
    return (size + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT


def _uses(program: Program) -> dict[int, tuple[int, int]]:
    """Tensor with memory -> first and last layer that needs it. Inputs are there before, outputs and states after."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for i, layer in enumerate(program.layers):
        for index in (*layer.inputs, *layer.outputs):
            root = program.root(index)
            first.setdefault(root, i)
            last[root] = i
    end = len(program.layers)
    for index in program.inputs:
        root = program.root(index)
        first[root], last[root] = -1, last.get(root, -1)
    for index in program.outputs:
        root = program.root(index)
        first.setdefault(root, -1)
        last[root] = end
    for index in program.states:
        first[index], last[index] = -1, end
    return {root: (first[root], last[root]) for root in first}


def _overlaid(program: Program) -> Callable[[int], int]:
    """Tensor -> the tensor in whose place it is: outputs take the place of inputs that nothing needs afterwards."""
    uses = _uses(program)
    place: dict[int, int] = {}

    def owner(index: int) -> int:
        index = program.root(index)
        while index in place:
            index = place[index]
        return index

    for i, layer in enumerate(program.layers):
        if layer.overlay is None or not layer.outputs:
            continue
        source, output = program.root(layer.inputs[layer.overlay]), program.root(layer.outputs[0])
        alone = sum(program.root(index) == source for index in layer.inputs) == 1
        dies = uses[source][1] == i and uses[output][0] == i
        if alone and dies and source not in program.states and output not in program.states:
            place[output] = source
    return owner


def _lifetimes(program: Program, owner: Callable[[int], int]) -> list[_Block]:
    blocks: dict[int, _Block] = {}
    for index, (first, last) in _uses(program).items():
        size = _align_size(_size(program, index))
        block = blocks.setdefault(owner(index), _Block(owner(index), size, first, last))
        block.size = max(block.size, size)
        block.first, block.last = min(block.first, first), max(block.last, last)
    return list(blocks.values())


def _place(blocks: Sequence[_Block]) -> tuple[dict[int, int], int]:
    """Each block into the lowest gap between those already placed whose lifetime overlaps its own."""
    placed: list[tuple[_Block, int]] = []
    for block in blocks:
        offset = 0
        rivals = [(at, other) for other, at in placed if other.first <= block.last and block.first <= other.last]
        for at, other in sorted(rivals, key=lambda pair: pair[0]):
            if offset + block.size <= at:
                break
            offset = max(offset, at + other.size)
        placed.append((block, offset))
    size = max((offset + block.size for block, offset in placed), default=0)
    return {block.key: offset for block, offset in placed}, size
