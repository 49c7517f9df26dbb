"""A .pte file -> `Program`, with nothing in it believed unchecked.

The runtime trusts a file: it follows indices, offsets and lengths unchecked and ends the process over what it does not
expect. So what it will follow is looked at here first. Only programs for XNNPACK and the portable operators are read.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgekit.errors import BadInput
from edgekit.formats.executorch import xnnpack
from edgekit.formats.executorch.schema import PROGRAM
from edgekit.formats.executorch.work import multiplications_of_portable
from edgekit.formats.executorch.xnnpack import Delegate
from edgekit.formats.flatbuffer import Table, parse

_RETRY = "Export it again."
#: torch's numbers of dtypes -> their name and bytes.
DTYPES = {
    0: ("uint8", 1), 1: ("int8", 1), 2: ("int16", 2), 3: ("int32", 4), 4: ("int64", 8), 5: ("float16", 2),
    6: ("float32", 4), 7: ("float64", 8), 11: ("bool", 1), 15: ("bfloat16", 2),
}  # fmt: skip
_BACKEND = "XnnpackBackend"
_NOTHING = Table("Null", {})
#: Memory that a program may ask for: more is no network for a phone.
_LARGEST = 4 << 30


@dataclass(frozen=True)
class Tensor:
    """An input or output: `shape` has the upper bound of every axis."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """What runs: the portable `calls` in order, XNNPACK's `delegates`, and bytes of constants by dtype.

    A call is an operator and the kinds of its arguments ("Tensor", "Int", ...), what it returns last. `multiplications`
    and `weights` are those of the portable calls, as a delegate's are XNNPACK's: bytes of constants that a call reads.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    calls: tuple[tuple[str, tuple[str, ...]], ...]
    delegates: tuple[Delegate, ...]
    constants: dict[str, int]
    memory: int
    multiplications: int
    weights: int

    @property
    def operators(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.calls)


def read(content: bytes) -> Program:
    """Parse the content of a .pte file.

    Raises:
        BadInput: not a .pte, damaged, or of a backend that is not XNNPACK.
    """
    if content[4:8] not in (b"ET12", b"ET13") or content[8:12] != b"eh00":
        raise _damage_error("it does not begin as a .pte does")
    try:
        length, size, base = struct.unpack_from("<IQQ", content, 12)
    except struct.error as exc:
        raise _damage_error(str(exc)) from exc
    if length < 24 or size > len(content) or base > len(content):
        raise _damage_error("its header tells of more than the file has")
    facts = parse(content[:size], PROGRAM, "Program", "the .pte", whole=True)
    if len(facts.tables("execution_plan")) != 1 or facts.tables("execution_plan")[0].text("name") != "forward":
        raise _damage_error("it has not one method, forward")
    return _Checker(content, base, facts).program()


class _Checker:
    def __init__(self, content: bytes, base: int, facts: Table) -> None:
        self._content, self._facts, self._plan = content, facts, facts.tables("execution_plan")[0]
        self._values = [value.table("val") or _NOTHING for value in self._plan.tables("values")]
        self._segments = [self._segment(base, segment) for segment in facts.tables("segments")]
        self._sizes = self._plan.numbers("non_const_buffer_sizes")
        self._constants: Counter[str] = Counter()
        self._multiplications = self._weights = 0

    def program(self) -> Program:
        if any(not 0 <= size <= _LARGEST for size in self._sizes):
            raise _damage_error(f"it asks for {max(self._sizes, key=abs)} bytes of memory")
        if any(buffer.data("storage") for buffer in self._facts.tables("constant_buffer")):
            raise _damage_error("it has constants in the buffers of an older format")
        for value in self._values:
            self._value(value)
        inputs, outputs = (tuple(self._end(i) for i in self._plan.numbers(side)) for side in ("inputs", "outputs"))
        delegates = tuple(self._delegate(delegate) for delegate in self._plan.tables("delegates"))
        calls = tuple(self._instructions(delegates))
        for delegate in delegates:
            self._constants.update(delegate.constants)
        work = self._multiplications, self._weights
        return Program(inputs, outputs, calls, delegates, dict(self._constants), sum(self._sizes), *work)

    def _segment(self, base: int, facts: Table) -> bytes:
        start = base + facts.number("offset")
        if start + facts.number("size") > len(self._content):
            raise _damage_error("a segment ends behind the file")
        return self._content[start : start + facts.number("size")]

    def _value(self, value: Table) -> None:
        if (kind := value.kind) == "Tensor":
            self._tensor(value)
        elif kind in ("TensorList", "OptionalTensorList"):
            for index in value.numbers("items"):
                if index != -1 or kind == "TensorList":
                    self._kind(index, "Tensor")
        elif kind == "IntList":  # of values, not of numbers
            for index in value.numbers("items"):
                self._kind(index, "Int")

    def _tensor(self, facts: Table) -> None:
        sizes, dtype = facts.numbers("sizes"), DTYPES.get(facts.number("scalar_type"))
        if dtype is None or any(size < 0 for size in sizes) or len(sizes) > 16:
            raise _damage_error("a tensor has no dtype or shape that there is")
        if sorted(facts.data("dim_order")) != list(range(len(sizes))) or facts.number("storage_offset"):
            raise _damage_error("a tensor has its axes in no order")
        bytes_, index = math.prod(sizes) * dtype[1], facts.number("data_buffer_idx")
        place = facts.table("allocation_info")
        extra = facts.table("extra_tensor_info")
        if extra is not None and (extra.number("location") or extra.number("mutable_data_segments_idx")):
            raise _damage_error("a tensor has its values outside of the file")
        if place is not None:
            offset = place.number("memory_offset_low") + (place.number("memory_offset_high") << 32)
            memory = place.number("memory_id")
            if not 0 < memory < len(self._sizes) or offset + bytes_ > self._sizes[memory]:
                raise _damage_error("a tensor ends behind its memory")
        elif not index:
            raise _damage_error("a tensor has no place")
        if index:
            self._constant(index, bytes_, dtype[0])

    def _constant(self, index: int, bytes_: int, dtype: str) -> None:
        held = self._facts.table("constant_segment")
        if held is None or index >= len(held.numbers("offsets")) or held.number("segment_index") >= len(self._segments):
            raise _damage_error("a constant is not there")
        if held.numbers("offsets")[index] + bytes_ > len(self._segments[held.number("segment_index")]):
            raise _damage_error("a constant ends behind the file")
        self._constants[dtype] += bytes_

    def _end(self, index: int) -> Tensor:
        facts = self._kind(index, "Tensor")
        return Tensor(DTYPES[facts.number("scalar_type")][0], tuple(facts.numbers("sizes")))

    def _kind(self, index: int, kind: str = "") -> Table:
        """The value with that index, which must be of that kind."""
        if not 0 <= index < len(self._values):
            raise _damage_error("an index leads to no value")
        value = self._values[index]
        if kind and value.kind != kind:
            raise _damage_error(f"a {value.kind} is where a {kind} must be")
        return value

    def _delegate(self, facts: Table) -> Delegate:
        if facts.text("id") != _BACKEND:
            raise BadInput(
                f"the .pte is for {facts.text('id')!r}, which nothing here runs.", hint="Only XNNPACK is run."
            )
        place = facts.table("processed")
        inline = [data.data("storage") for data in self._facts.tables("backend_delegate_data")]
        held: Sequence[bytes] = inline if place is not None and place.number("location") == 0 else self._segments
        if place is None or place.number("index") >= len(held):
            raise _damage_error("what XNNPACK computes is not there")
        named = {}
        for entry in self._facts.tables("named_data"):
            if entry.number("segment_index") >= len(self._segments):
                raise _damage_error("a constant is not there")
            named[entry.text("key")] = self._segments[entry.number("segment_index")]
        return xnnpack.read(held[place.number("index")], named)

    def _instructions(self, delegates: Sequence[Delegate]) -> Iterable[tuple[str, tuple[str, ...]]]:
        if len(self._plan.tables("chains")) != 1:
            raise _damage_error("it has not one list of instructions")
        names = [
            f"{one.text('name')}.{one.text('overload')}".removesuffix(".") for one in self._plan.tables("operators")
        ]
        for instruction in self._plan.tables("chains")[0].tables("instructions"):
            facts = instruction.table("instr_args") or _NOTHING
            if (kind := facts.kind) not in ("KernelCall", "DelegateCall"):
                raise _damage_error(f"it has a {kind}, which our programs never have")
            index = facts.number("op_index" if kind == "KernelCall" else "delegate_index")
            if not 0 <= index < len(names if kind == "KernelCall" else delegates):
                raise _damage_error("it calls what it has not")
            for argument in facts.numbers("args"):
                self._kind(argument)
            if kind == "KernelCall":
                given = [self._values[argument] for argument in facts.numbers("args")]
                try:
                    self._multiplications += multiplications_of_portable(names[index], given)
                except LookupError as exc:
                    raise _damage_error(f"{names[index]} is given other values than it takes") from exc
                tensors = [one for one in given if one.kind == "Tensor" and one.number("data_buffer_idx")]
                self._weights += sum(
                    math.prod(t.numbers("sizes")) * DTYPES[t.number("scalar_type")][1] for t in tensors
                )
                yield names[index], tuple(one.kind for one in given)
            else:
                self._check_arguments(facts.numbers("args"), delegates[index])

    def _check_arguments(self, arguments: Sequence[int], delegate: Delegate) -> None:
        """XNNPACK reads and writes as many values of its own dtype as there are, whatever the tensor holds."""
        if len(arguments) != len(delegate.ends):
            raise _damage_error("XNNPACK is given another number of tensors than it takes")
        for argument, (dtype, rank) in zip(arguments, delegate.ends, strict=True):
            facts = self._kind(argument, "Tensor")
            if DTYPES[facts.number("scalar_type")][0] != dtype or max(1, len(facts.numbers("sizes"))) != rank:
                raise _damage_error("XNNPACK is given a tensor of another dtype or rank than it takes")


def _damage_error(why: str) -> BadInput:
    return BadInput(f"the .pte is damaged: {why}.", hint=_RETRY)
