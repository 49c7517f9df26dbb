"""Plans in the cache, so that what was measured once is not measured again: a second export loads no torch."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import msgspec

import edgekit
from edgekit.common.files import cache_folder, write_whole
from edgekit.errors import need
from edgekit.importers.hub.mappings import transformers_version
from edgekit.importers.hub.plan import Plan
from edgekit.importers.hub.repository import Repository


def measured_once(plan: Plan, repository: Repository) -> Plan:
    """`plan`, complete: from the cache, else measured (see `edgekit.importers.hub.measuring.measure`) and kept."""
    place = _place(plan, repository)
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(place.read_bytes(), type=Plan)
    with need("hub", "Building a Hugging Face model"):
        import torch  # noqa: F401
        import transformers  # noqa: F401
    from edgekit.importers.hub.measuring.measure import measure_plan

    complete = measure_plan(plan, repository)
    write_whole(place, msgspec.json.encode(complete))
    return complete


def _place(plan: Plan, repository: Repository) -> Path:
    """By everything that decides the result: settings, what was asked, versions, and the code beside this file."""
    code = sorted(Path(__file__).parents[1].rglob("*.py"))
    parts = [
        repository.digest().encode(),
        msgspec.json.encode(plan),
        f"{edgekit.__version__} {transformers_version()}".encode(),
        *(path.read_bytes() for path in code),
    ]
    return cache_folder() / "imports" / f"{hashlib.sha256(b'/'.join(parts)).hexdigest()[:32]}.json"
