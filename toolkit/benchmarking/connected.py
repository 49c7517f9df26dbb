"""`bench --device NAME[:ADDRESS]`: what people connect to their machine, such as a phone, measures a bundle.

The calls that the golden input makes here are replayed there, every part with the very inputs it had. So the figures
are of the parts; the code between them (a tokenizer, a decoding loop) is the app's own and is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.bench.machine import host
from edgekit.bundles import golden
from edgekit.common.files import hash_file
from edgekit.common.processors import usable_processors
from edgekit.core import Bundle, Device, Progress, Report, Target, Trial
from edgekit.errors import BadInput, EdgekitError, Unsupported
from edgekit.registry import find, names
from edgekit.reports.report import SCHEMA

#: Calls of one part that are replayed, the first ones: a stream of a minute makes some thousands.
_MOST = 4096


def device_of(target: Target | None, wanted: str | None) -> tuple[Device, str] | None:
    """The connected device of `target` that ``--device`` means, and its address; None where it means no such.

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
        found = find("targets", target)
    except EdgekitError:  # another package that is broken is no reason to say nothing
        return ()
    return tuple(found.devices)


def measured(
    bundle: Bundle, facts: dict[str, Any], target: Target, device: Device, trial: dict[str, Any], progress: Progress
) -> Report:
    """Prove the bundle here, then have `device` replay the calls that the golden input made.

    Args:
        facts: of the bundle, for the report. trial: what else a `Trial` has, by name.

    Raises:
        ParityFailed: a part gives other answers here or there. BadInput: files that are not for this target.
        Others: as `Device.measure`.
    """
    manifest = bundle.manifest
    with golden.vouched(bundle, target) as folder:
        progress("running the golden input here", 0, 0)
        proof = golden.prove(bundle, usable_processors(), keep=_MOST)
        found = device.measure(Trial(bundle=folder, calls=proof.calls, units=proof.units, progress=progress, **trial))
    given = bundle.path / manifest.golden.input
    return Report(
        schema=SCHEMA,
        bundle=facts,
        fidelity=found["fidelity"],
        host=found["host"],
        versions={**host.versions(("edgekit",)), **found["versions"]},
        inputs=[{"name": given.name, "sha256": hash_file(given)}],
        threads=found["threads"],
        measurements=tuple(found["measurements"]),
        warnings=tuple(found["warnings"]),
        outputs=[manifest.golden.output],
    )


def check(inputs: Sequence[Any], synthetic: bool, contexts: Sequence[int] | None) -> None:
    """Raise BadInput for options that a connected device has no use for."""
    given = {"--input": bool(inputs), "--synthetic": synthetic, "--contexts": bool(contexts)}
    for name, there in given.items():
        if there:
            raise BadInput(
                f"{name} is for this machine: a connected device replays the calls of the golden input.",
                hint=f"Leave {name} out, or measure here with --device host.",
            )
