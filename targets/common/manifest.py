"""What targets read of a bundle's manifest: they know no room that writes one."""

from __future__ import annotations

from pathlib import Path
from typing import NotRequired, TypedDict

from edgekit.common.documents import read_json
from edgekit.core import Facts


class Part(TypedDict):
    """A part: its file in the bundle, and what is known of it."""

    name: str
    file: str
    census: NotRequired[Facts]


class Recipe(TypedDict):
    """How the bundle was made."""

    exporter: str
    precision: str


class Golden(TypedDict):
    """The golden input, what fp32 computed of it, and the answer."""

    input: str
    reference: str
    output: str


class Manifest(TypedDict):
    """See `edgekit.bundles.manifest.Manifest`; the caller has checked it."""

    parts: list[Part]
    recipe: Recipe
    golden: Golden
    facts: Facts


def read_manifest(bundle: Path) -> Manifest:
    """The manifest in a bundle's folder."""
    manifest: Manifest = read_json(bundle / "manifest.json")
    return manifest
