"""`verify`: prove a bundle again, from itself alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.bundles import golden
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.manifest import Verdict
from edgekit.bundles.opened import load, makers
from edgekit.common.processors import usable_processors
from edgekit.core import Bundle, Calls, Progress
from edgekit.errors import GateFailed, MissingExtra, UnknownName
from edgekit.gate.judges import Looks, judge_of
from edgekit.gate.verdicts import not_measured
from edgekit.registry import find
from edgekit.tasks.resolved import samples_of

__all__ = ["verify"]


def verify(path: str | Path, *, data: str | Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Prove a bundle again, from itself alone: hashes, structure, parity on the golden input, the metric on `data`.

    Returns:
        ``{"parity": {part: error}, "gate": Verdict, "device": facts}``; the gate's verdict is "not measured" without
        `data`, else "above the bar" or "undecided": the fp32 reference is not in the bundle, so its loss is not known.

    Raises:
        BadInput: damaged or edited. ParityFailed: it computes something else. GateFailed: it is worse than its bar.
    """
    tell: Progress = progress or (lambda what, done, total: None)
    tell("checking hashes", 0, 0)
    bundle = open_bundle(Path(path))
    tell("checking structure", 0, 0)
    golden.check_structure(bundle)
    tell("running the golden input", 0, 0)
    errors, calls, _ = golden.prove(bundle, usable_processors())
    verdict = not_measured("no --data was given")
    if data is not None:
        verdict = _absolute(bundle, data, tell)
        if verdict.verdict == "below the bar":
            raise GateFailed(f"{bundle.path.name}: {verdict.reason}.")
    return {"parity": errors, "gate": verdict, "device": _on_device(bundle, calls, tell)}


def _on_device(bundle: Bundle, calls: Calls, tell: Progress) -> Mapping[str, Any]:
    """What the target's device said of the golden vectors; where it is not here, why it was not asked.

    Raises:
        BadInput: code in the bundle is not ours. ParityFailed: the device computes something else.
        DeviceFailed: it did not do its part.
    """
    try:
        target = find("targets", bundle.manifest.target.name)
    except UnknownName:
        return {}
    if target.prove is None:
        return {}
    tell(f"golden vectors on {target.device or 'emulated processors'}", 0, 0)
    try:
        with golden.vouched(bundle, target) as folder:
            return target.prove(folder, calls)
    except MissingExtra as exc:
        return {"not measured": f"{exc.message} {exc.hint}".strip()}


def _absolute(bundle: Bundle, data: str | Path, tell: Progress) -> Verdict:
    model, _ = makers(bundle)
    judge = judge_of(model)
    folder = judge.folder(data, "data")
    if model.task.evaluation is None:
        return not_measured(f"{model.name} declares no metric")
    samples = samples_of(model, folder)
    scores = judge.scores(load(bundle.path, hashes=False), samples, Looks("measuring accuracy", tell))
    return judge.absolute(model.task.evaluation, scores, samples, folder.name)
