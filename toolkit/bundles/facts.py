"""Facts of a manifest: recipe, source, target and parts, from the types of `edgekit.core`."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Sequence

import msgspec

from edgekit.bench.machine import host
from edgekit.bundles.manifest import Manifest, PartFacts, RecipeFacts, SourceFacts, TargetFacts, Tensor
from edgekit.common.figures import NOT_MEASURED
from edgekit.core import Artifact, Checkpoint, Facts, Recipe, Source, Target, TensorSpec, fact_of
from edgekit.errors import UnknownName
from edgekit.registry import find
from edgekit.runtimes.resolved import recipe_of, runtime_once


def recipe_facts(recipe: Recipe) -> RecipeFacts:
    """A recipe, accepted or tried."""
    return RecipeFacts(
        runtime=recipe.runtime, exporter=recipe.exporter, precision=recipe.precision, options=dict(recipe.options)
    )


def recipe_in(manifest: Manifest) -> Recipe:
    """The recipe of a bundle. Before schema 6 it names an exporter: its runtime is of the same name, or the first.

    Raises:
        UnknownName: the runtime is not installed here. Unsupported: nothing here takes files of the exporter.
    """
    facts = manifest.recipe
    return recipe_of(facts.runtime or runtime_once(facts.exporter), facts.precision, facts.options)


def source_facts(checkpoint: Checkpoint, source: Source | None) -> SourceFacts:
    """The source of the weights, without private parts of its address."""
    return SourceFacts(
        uri=public(source.uri) if source else f"path:{urllib.parse.quote(checkpoint.path.name)}",
        revision=source.revision if source else "",
        format=checkpoint.format,
        pinned=source is not None and all(file.sha256 for file in source.files),
        files=dict(checkpoint.files),
    )


def public(uri: str) -> str:
    """An address without private parts: user, password, and a query that may hold a token."""
    parts = urllib.parse.urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return uri
    path = urllib.parse.quote(parts.path, safe="/%")
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))


def target_facts(target: Target) -> TargetFacts:
    """The target of a bundle, and what an app must ship, by runtime."""
    runtime = {name: text.format(version=_version(name)) for name, text in target.runtimes.items()}
    return TargetFacts(name=target.name, system=target.system, processor=target.processor, runtime=runtime)


def _version(runtime: str) -> str:
    """The installed version of a runtime ("" if it is not installed or no package)."""
    with contextlib.suppress(UnknownName):
        for name in find("runtimes", runtime).distributions[:1]:
            return host.versions([name]).get(name, "")
    return ""


def part_facts(
    artifact: Artifact, specs: tuple[Sequence[TensorSpec], Sequence[TensorSpec]], parity: float | None
) -> PartFacts:
    """A part: its file, inputs and outputs, census, and relative error against the reference (None: not run)."""
    inputs, outputs = specs
    return PartFacts(
        name=artifact.part,
        file=artifact.file,
        inputs=[Tensor(name=spec.name, dtype=spec.dtype, shape=list(spec.shape)) for spec in inputs],
        outputs=[Tensor(name=spec.name, dtype=spec.dtype, shape=list(spec.shape)) for spec in outputs],
        census=dict(artifact.census),
        parity=parity,
    )


class CallTime(msgspec.Struct, frozen=True, rename={"missing": NOT_MEASURED}):
    """The seconds of a call, and their ratio to fp32's with its interval; or why they are `missing`."""

    this: float = 0.0
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0
    missing: str = ""

    @property
    def slower(self) -> bool:
        """Whether the part is slower than fp32 in at least three of four rounds."""
        return self.low > 1.0


def call_time(census: Facts) -> CallTime | None:
    """The time of a part beside fp32, by its census; None: there is nothing to compare, it is fp32 itself."""
    return fact_of(census, "speed", CallTime) if census.get("speed") else None
