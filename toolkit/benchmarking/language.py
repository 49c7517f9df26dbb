"""`benchmark` for language models: tokens/s by llama-bench's method, compared with the machine's memory bandwidth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.bench.machine import host, roofline
from edgekit.bench.processes import generation
from edgekit.bench.processes.answers import Answer
from edgekit.benchmarking import synthetic
from edgekit.benchmarking.hosted import sizes
from edgekit.common.processors import thread_count
from edgekit.core import Bundle, Measurement, Progress, Report
from edgekit.errors import BadInput
from edgekit.formats import gguf
from edgekit.reports.report import SCHEMA

#: Tokens in the cache before generation is timed: the sweep over lengths of context.
CONTEXTS = (512, 2048, 4096)
#: Values of each test, in each process.
_REPEATS = 3
_UNITS = {"load": "s", "first_token": "s", "rss": "B", "bandwidth.read": "B/s", "bandwidth.share": "1"}


class Plan(NamedTuple):
    """The settings of a measurement.

    Attributes:
        threads: None: all usable processors. processes: number of fresh processes, in sequence; the sweep has its own.
        loops: values per test and process; None: 3. limit: seconds per process. memory: bytes per process.
        contexts: context lengths of the sweep; (): no sweep.
    """

    threads: int | None = None
    processes: int = 5
    loops: int | None = None
    limit: float = 600.0
    memory: int | None = None
    contexts: Sequence[int] = CONTEXTS


def measure_language_model(
    bundle: Bundle,
    facts: Mapping[str, Any],
    warnings: Sequence[str],
    inputs: Sequence[str | Path],
    plan: Plan,
    tell: Progress,
) -> Report:
    """Measure a language model's bundle on this machine.

    Measurements: ``pp512`` and ``tg128`` (tokens/s); ``tg32@N`` after N tokens, from a process of its own;
    ``first_token`` of the prompt (s), ``load.*`` (s), ``rss.*`` (B), ``bandwidth.read`` of the machine (B/s), and
    ``bandwidth.share``, the part of it that tg128 uses.

    Args:
        facts, warnings: of the bundle, for the report. inputs: a prompt's file; empty: the golden prompt.

    Raises:
        BadInput: more than one prompt, or none in the file. DeviceFailed: a process hung, crashed or grew too large.
    """
    prompt = _prompt(bundle, inputs)
    workers, repeats = thread_count(plan.threads), plan.loops or _REPEATS
    job = generation.Job(
        "edgekit.bundles.opened:load_unchecked",
        str(bundle.path.absolute()),
        str(prompt.absolute()),
        workers,
        generation.PLAIN,
        repeats,
        plan.limit,
        plan.memory,
    )
    tests = generation.sweep(plan.contexts, int(bundle.manifest.facts.get("trained", 0)))
    jobs = [(f"process {i + 1} of {plan.processes}", job) for i in range(plan.processes)]
    jobs += [("longer contexts", replace(job, prompt="", tests=tests))] if tests else []
    load_average, bandwidths, answers, done = host.load_average(), [], [], 0
    total = sum(task.steps for _, task in jobs)
    for name, task in jobs:
        if task.prompt:
            tell(f"{name}: reading memory", done, total)
            bandwidths.append(tuple(roofline.read_bandwidth(workers)))
        answers.append(generation.measure(task, _steps(tell, name, done, total)))
        done += task.steps
    tell("measuring", total, total)
    weights, best = _read_per_token(bundle), max(max(group) for group in bandwidths)
    values = _values(answers, plan.processes)
    values["bandwidth.read"] = bandwidths
    values["bandwidth.share"] = [tuple(roofline.share(group, weights, best)) for group in values["tg128"]]
    context = {
        "processes": plan.processes,
        "load_average": load_average,
        "sections": [answer.section for answer in answers],
        "rejected": [answer.rejected for answer in answers],
        "weights_read_per_token": weights,
        "bandwidth": best,
    }
    described = synthetic.describe_input(prompt)
    return Report(
        schema=SCHEMA,
        bundle=facts,
        fidelity="host",
        host={**host.describe(), "run": context},
        versions=host.versions(("edgekit", "llama-cpp-python", "numpy")),
        inputs=[described],
        threads=workers,
        measurements=(*(_measurement(name, groups) for name, groups in values.items()), *sizes(bundle)),
        warnings=(*synthetic.warnings([described]), *warnings, *_busy(answers)),
    )


def _prompt(bundle: Bundle, inputs: Sequence[str | Path]) -> Path:
    if len(inputs) > 1:
        raise BadInput(
            "the first token is timed after one prompt, not after several.", hint="Give one --input FILE.txt"
        )
    prompt = Path(inputs[0]).expanduser() if inputs else bundle.path / bundle.manifest.golden.input
    if not prompt.is_file() or prompt.suffix != ".txt":
        raise BadInput(f"{str(prompt)!r} is no prompt.", hint="A prompt is a file that ends in .txt")
    return prompt


def _steps(tell: Progress, name: str, before: int, total: int) -> generation.Tell:
    return lambda what, done, _: tell(f"{name}: {what}", before + done, total)


def _values(answers: Sequence[Answer], processes: int) -> dict[str, list[tuple[float, ...]]]:
    """Measurement -> values per process: speed first, memory last. The sweep's answer is the last of `answers`."""
    plain, swept = answers[:processes], answers[processes:]
    names = [*generation.PLAIN, *(name for answer in swept for name in answer.values if name.startswith("tg"))]
    names += [name for name in plain[0].values if name not in names]
    return {
        name: [
            tuple(answer.values[name])
            for answer in (plain if name in plain[0].values else swept)
            if name in answer.values
        ]
        for name in names
    }


def _measurement(name: str, groups: Sequence[Sequence[float]]) -> Measurement:
    unit = next((unit for prefix, unit in _UNITS.items() if name.startswith(prefix)), "tokens/s")
    return Measurement(name, unit, tuple(map(tuple, groups)), better="lower" if unit in ("s", "B") else "higher")


def _busy(answers: Sequence[Answer]) -> list[str]:
    """Warnings about values that could be measured on a busy machine only."""
    doubtful = sorted({name for answer in answers for name in answer.doubtful})
    if not doubtful:
        return []
    return [
        f"THE MACHINE WAS BUSY: {', '.join(doubtful)} could not be measured undisturbed; do not trust these values. "
        "Stop what else runs and measure again."
    ]


def _read_per_token(bundle: Bundle) -> int:
    """Bytes of weights that a token reads: all, except an embedding that is not the output, too (it reads a row)."""
    tensors = gguf.read(bundle.path / bundle.manifest.parts[0].file).tensors
    output = any(tensor.name == "output.weight" for tensor in tensors)
    return sum(tensor.size for tensor in tensors if not (output and tensor.name == "token_embd.weight"))
