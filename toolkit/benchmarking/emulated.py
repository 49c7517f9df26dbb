"""Benchmarks on a target's own device: exact counts of an emulator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.bench.machine import host
from edgekit.benchmarking.hosted import HOST, VERSIONS, bundle_facts, golden_input, sizes
from edgekit.bundles.golden import trusted_folder
from edgekit.common.files import hash_file
from edgekit.core import Bundle, Progress, Report, Target
from edgekit.errors import Unsupported
from edgekit.reports.report import SCHEMA


def on_device(bundle: Bundle, target: Target, inputs: Sequence[str | Path], progress: Progress | None) -> Report:
    """The counts of the target's own device (an emulator), on the golden inputs that the firmware carries."""
    if inputs:
        raise Unsupported(
            f"the firmware for {target.name} carries its golden inputs and takes no files.",
            hint=f"Without --input, or on this machine: --device {HOST}",
        )
    assert target.measure is not None
    if progress:
        progress(f"building the firmware and counting in {target.device}", 0, 0)
    with trusted_folder(bundle, target) as folder:
        result = target.measure(folder)
    golden = golden_input(bundle)
    facts = {
        key: value for key, value in result.items() if key not in ("measurements", "layers", "fidelity", "estimates")
    }
    return Report(
        schema=SCHEMA,
        bundle=bundle_facts(bundle),
        fidelity=result["fidelity"],
        host={"cpu": f"{facts.get('board', target.name)} in {target.device}", "release": target.processor, **facts},
        versions=host.versions(VERSIONS),
        inputs=[{"name": golden.name, "sha256": hash_file(golden)}],
        threads=1,
        measurements=(*result["measurements"], *sizes(bundle)),
        layers=tuple(result.get("layers", ())),
        estimates=tuple(result.get("estimates", ())),
    )
