"""`benchmark` for language models: tokens/s by llama-bench's method, beside what the memory of this machine allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit import gguf
from edgekit._files import hash_file
from edgekit.bench import generation, host, roofline
from edgekit.bundle import usable_processors
from edgekit.core import Bundle, Measurement, Progress, Report
from edgekit.report import SCHEMA

__all__ = ["DEPTHS", "measured"]

#: Tokens in the cache before generation is timed: the context-length sweep.
DEPTHS = (512, 2048, 4096)
_REPEATS = 5
_UNITS = {"load": "s", "first_token": "s", "rss": "B", "bandwidth.read": "B/s", "bandwidth.share": "1"}


def measured(
    bundle: Bundle,
    facts: Mapping[str, Any],
    warnings: Sequence[str],
    threads: int | None,
    processes: int,
    tell: Progress,
) -> Report:
    """Measure a language model's bundle on this machine.

    Measurements: ``pp512`` and ``tg128`` (tokens/s), ``tg32@N`` after N tokens, ``first_token`` of the golden prompt
    (s), ``load.*`` (s), ``rss.*`` (B), ``bandwidth.read`` of the machine (B/s), and ``bandwidth.share``, the part of it
    that tg128 takes.

    Args:
        facts, warnings: of the bundle, for the report. processes: fresh ones, one after another.
    """
    workers = threads or usable_processors()
    prompt = bundle.path / bundle.manifest.golden.input
    tests = generation.tests(DEPTHS, int(bundle.manifest.facts.get("trained", 0)))
    load = "edgekit.bundle:load_unchecked"
    job = generation.Job(load, str(bundle.path.absolute()), str(prompt.absolute()), workers, tests, _REPEATS)
    load_average = host.load_average()
    answers, bandwidths = [], []
    for number in range(processes):
        tell("measuring", number, processes)
        bandwidths.append(tuple(roofline.read_bandwidth(workers)))
        answers.append(generation.measure(job))
    tell("measuring", processes, processes)
    weights = _read_per_token(bundle)
    values = {name: [tuple(answer["values"].get(name, ())) for answer in answers] for name in answers[0]["values"]}
    values["bandwidth.read"] = bandwidths
    best = max(max(group) for group in bandwidths)
    values["bandwidth.share"] = [tuple(roofline.share(group, weights, best)) for group in values["tg128"]]
    context = {
        "processes": processes,
        "load_average": load_average,
        "sections": [answer["section"] for answer in answers],
        "rejected": [answer["rejected"] for answer in answers],
        "weights_read_per_token": weights,
        "bandwidth": best,
    }
    return Report(
        schema=SCHEMA,
        bundle=facts,
        fidelity="host",
        host={**host.describe(), "run": context},
        versions=host.versions(("edgekit", "llama-cpp-python", "numpy")),
        inputs=[{"name": prompt.name, "sha256": hash_file(prompt)}],
        threads=workers,
        measurements=tuple(_measurement(name, groups) for name, groups in sorted(values.items())),
        warnings=(*warnings, *_busy(answers)),
    )


def _measurement(name: str, groups: Sequence[Sequence[float]]) -> Measurement:
    unit = next((unit for prefix, unit in _UNITS.items() if name.startswith(prefix)), "tokens/s")
    return Measurement(name, unit, tuple(map(tuple, groups)), better="lower" if unit in ("s", "B") else "higher")


def _busy(answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Loud lines about values that were taken on a busy machine because no others could be had."""
    doubtful = sorted({name for answer in answers for name in answer["doubtful"]})
    if not doubtful:
        return []
    return [
        f"THE MACHINE WAS BUSY: {', '.join(doubtful)} could not be measured undisturbed; do not trust these values. "
        "Stop what else runs and measure again."
    ]


def _read_per_token(bundle: Bundle) -> int:
    """Bytes of weights that one token reads: all, but of an embedding that is no output too a row."""
    tensors = gguf.read(bundle.path / bundle.manifest.parts[0].file).tensors
    output = any(tensor.name == "output.weight" for tensor in tensors)
    return sum(tensor.size for tensor in tensors if not (output and tensor.name == "token_embd.weight"))
