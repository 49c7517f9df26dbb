"""What a search, a worker of its pool and the worker's process say to each other, as plain data."""

from __future__ import annotations

from typing import Any

import msgspec

from edgekit.core import Facts
from edgekit.gate.frontier import Point
from edgekit.pool.parcels import Parcel


class Begin(msgspec.Struct):
    """All that the process needs to do the trials of a search.

    Attributes:
        request: fields of `edgekit.pipeline.job.Asked`. folder: where the process may write. key: of the trials.
        tools: distribution -> version. judged: number of samples that judge. size, hurried: what recipes there are.
    """

    request: dict[str, Any]
    key: str
    tools: dict[str, str]
    judged: int
    size: int | None
    hurried: bool
    folder: str = ""


class Wish(msgspec.Struct):
    """A recipe that the process shall try."""

    recipe: str


class Spec(msgspec.Struct):
    """A trial, as a worker gets it.

    Attributes:
        edgekit: its version. search, ticket: name the search and this trial, for their end. files: field of the
            request -> the files that it names; the field has what follows their path. machine: what it should be.
        latency: whether there is a limit of it. threads: variables of the environment.
    """

    edgekit: str
    search: str
    begin: Begin
    files: dict[str, Parcel]
    machine: dict[str, Any]
    latency: bool
    threads: dict[str, str]
    recipe: str = ""
    ticket: str = ""


class Outcome(msgspec.Struct, omit_defaults=True):
    """What became of a trial: its `point`, or `lost`, why the process died of it; else why a machine can do none.

    Attributes:
        message, hint: of the error. lacking: the module that is not there. worker: the address of the machine.
    """

    point: Point | None = None
    lost: str = ""
    message: str = ""
    hint: str = ""
    lacking: str = ""
    worker: str = ""


def plain(message: msgspec.Struct) -> Facts:
    """A message as plain data, paths as texts: whoever has another edgekit can still read its version."""
    facts: Facts = msgspec.to_builtins(message, enc_hook=str)
    return facts
