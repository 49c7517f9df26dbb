"""`benchmark`: measure a bundle on a device, and say how the numbers came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit._files import hash_file
from edgekit.bench import host, run
from edgekit.bundle import open_bundle, usable_processors
from edgekit.core import Bundle, Progress, Report, Target
from edgekit.errors import BadInput, UnknownName, Unsupported
from edgekit.golden import vouched
from edgekit.registry import find
from edgekit.report import SCHEMA

#: The only device so far: this machine.
HOST = "host"

_VERSIONS = ("edgekit", "onnxruntime", "numpy", "tokenizers", "soundfile", "soxr")


def benchmark(
    path: str | Path,
    *,
    inputs: Sequence[str | Path] = (),
    threads: int | None = None,
    device: str | None = None,
    processes: int = 3,
    warmups: int = 3,
    loops: int = 10,
    seconds: float = 20.0,
    progress: Progress | None = None,
) -> Report:
    """Measure a bundle with real inputs: cold load, latency of the whole and of every part, rates, memory.

    Args:
        inputs: files that the pipeline takes; the bundle's golden input if none are given.
        threads: within an operator; None takes all usable processors.
        device: where to measure; None takes the target's own device where `edgekit` can drive it, else this machine.
        processes: fresh processes, one after another. loops, seconds: rounds over all inputs in each, at most.

    Returns:
        The report. Where the bundle is for another target, its first warning says that the numbers are this machine's.

    Raises:
        BadInput: not a bundle, code in it that is not ours, no such input. Unsupported: an unknown device.
        DeviceFailed: a worker hung or crashed.
    """
    bundle = open_bundle(Path(path))
    target = _target(bundle)
    if target is not None and target.measure is not None and device in (None, target.device):
        return _on_device(bundle, target, inputs, progress)
    if device not in (None, HOST):
        raise Unsupported(f"there is no device {device!r} for this bundle.", hint=f"Measure here with --device {HOST}.")
    chosen = [Path(item).expanduser() for item in inputs] or [bundle.path / bundle.manifest.golden.input]
    for item in chosen:
        if not item.is_file():
            raise BadInput(f"there is no input file {str(item)!r}.")
    workers = threads or usable_processors()
    result = run.measure(
        "edgekit.bundle:load_unchecked",
        bundle.path.absolute(),
        [str(item.absolute()) for item in chosen],
        threads=workers,
        processes=processes,
        warmups=warmups,
        loops=loops,
        seconds=seconds,
        progress=progress,
    )
    return Report(
        schema=SCHEMA,
        bundle=_bundle_facts(bundle),
        fidelity="host",
        host={**host.describe(), "run": result.context},
        versions=host.versions(_VERSIONS),
        inputs=[{"name": item.name, "sha256": hash_file(item)} for item in chosen],
        threads=workers,
        measurements=result.measurements,
        warnings=(*_elsewhere(bundle), *result.warnings),
        outputs=result.outputs,
    )


def _on_device(bundle: Bundle, target: Target, inputs: Sequence[str | Path], progress: Progress | None) -> Report:
    """What the target's own device (an emulator) counts. Its inputs are the golden ones that the firmware carries."""
    if inputs:
        raise Unsupported(
            f"the firmware for {target.name} carries its golden inputs and takes no files.",
            hint=f"Without --input, or on this machine: --device {HOST}",
        )
    assert target.measure is not None
    if progress:
        progress(f"building the firmware and counting in {target.device}", 0, 0)
    with vouched(bundle, target) as folder:
        found = target.measure(folder)
    golden = bundle.path / bundle.manifest.golden.input
    facts = {
        key: value for key, value in found.items() if key not in ("measurements", "layers", "fidelity", "estimates")
    }
    return Report(
        schema=SCHEMA,
        bundle=_bundle_facts(bundle),
        fidelity=found["fidelity"],
        host={"cpu": f"{facts.get('board', target.name)} in {target.device}", "release": target.processor, **facts},
        versions=host.versions(_VERSIONS),
        inputs=[{"name": golden.name, "sha256": hash_file(golden)}],
        threads=1,
        measurements=tuple(found["measurements"]),
        layers=tuple(found.get("layers", ())),
        estimates=tuple(found.get("estimates", ())),
    )


def _target(bundle: Bundle) -> Target | None:
    """The bundle's target; None where it is another package's that is not installed here."""
    try:
        target: Target = find("targets", bundle.manifest.target.name)
    except UnknownName:
        return None
    return target


def _bundle_facts(bundle: Bundle) -> Mapping[str, Any]:
    manifest = bundle.manifest
    return {
        "name": f"{manifest.model.name} {manifest.target.name} {manifest.recipe.exporter} {manifest.recipe.precision}",
        "model": manifest.model.name,
        "target": manifest.target.name,
        "exporter": manifest.recipe.exporter,
        "precision": manifest.recipe.precision,
        "verdict": manifest.gate.verdict,
        "key": manifest.key,
        "size": sum(file.size for file in manifest.files.values()),
    }


def _elsewhere(bundle: Bundle) -> list[str]:
    """A warning where the bundle is for something other than this machine."""
    facts, target = bundle.manifest.target, _target(bundle)
    if target is not None and target.device == HOST:
        return []
    return [f"measured on this machine; on {facts.name} ({facts.processor}): not measured"]
