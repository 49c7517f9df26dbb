"""`bench --device NAME[:ADDRESS]`: a connected device, such as a phone, measures a bundle.

The calls of the golden input on this machine are replayed there, every part with the same inputs. So the figures
are of the parts; the code between them (a tokenizer, a decoding loop) is the app's own and is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.bench.machine import host
from edgekit.benchmarking.hosted import sizes
from edgekit.bundles import golden
from edgekit.common.files import hash_file
from edgekit.common.processors import usable_processors
from edgekit.core import Bundle, Device, Progress, Report, Target, Trial
from edgekit.errors import BadInput, EdgekitError, Unsupported
from edgekit.registry import find, names
from edgekit.reports.report import SCHEMA

#: First calls of a part that are replayed, at most: a stream of a minute makes some thousands.
_MOST = 4096


def device_of(target: Target | None, wanted: str | None) -> tuple[Device, str] | None:
    """The connected device of `target` that ``--device`` names, and its address; None if it names another device.

    Raises:
        Unsupported: the device is there for bundles of other targets only.
    """
    name, _, address = (wanted or "").partition(":")
    if target is not None and name in target.devices:
        return target.devices[name], address
    others = [other for other in names("targets") if name in _devices(other)]
    if others:
        raise Unsupported(
            f"this bundle is for {target.name if target else 'a target that is not installed here'}; the device "
            f"{name!r} runs those for {' and '.join(others)}.",
            hint=f"edgekit export MODEL --target {others[0]}",
        )
    return None


def _devices(target: str) -> Sequence[str]:
    try:
        return tuple(find("targets", target).devices)
    except EdgekitError:  # a broken target of another package hides no other
        return ()


def measure_on_device(
    bundle: Bundle, facts: dict[str, Any], target: Target, device: Device, trial: dict[str, Any], progress: Progress
) -> Report:
    """Check the bundle here, then let `device` replay the calls of the golden input.

    Args:
        facts: of the bundle, for the report. trial: further fields of `Trial`, by name.

    Raises:
        ParityFailed: a part's outputs differ here or there. BadInput: files that are not for this target.
        Others: as `Device.measure`.
    """
    manifest = bundle.manifest
    with golden.trusted_folder(bundle, target) as folder:
        progress("running the golden input here", 0, 0)
        proof = golden.prove(bundle, usable_processors(), keep=_MOST)
        result = device.measure(Trial(bundle=folder, calls=proof.calls, units=proof.units, progress=progress, **trial))
    sample = bundle.path / manifest.golden.input
    return Report(
        schema=SCHEMA,
        bundle=facts,
        fidelity=result["fidelity"],
        host={**(host.describe() if result.get("local") else {}), **result["host"]},
        versions={**host.versions(("edgekit",)), **result["versions"]},
        inputs=[{"name": sample.name, "sha256": hash_file(sample)}],
        threads=result["threads"],
        measurements=(*result["measurements"], *sizes(bundle)),
        warnings=tuple(result["warnings"]),
        outputs=[manifest.golden.output],
    )


def check(inputs: Sequence[Any], synthetic: bool, contexts: Sequence[int] | None) -> None:
    """Raise BadInput for options that do not apply to connected devices."""
    used = {"--input": bool(inputs), "--synthetic": synthetic, "--contexts": bool(contexts)}
    for name, there in used.items():
        if there:
            raise BadInput(
                f"{name} is for this machine: a connected device replays the calls of the golden input.",
                hint=f"Leave {name} out, or measure here with --device host.",
            )
