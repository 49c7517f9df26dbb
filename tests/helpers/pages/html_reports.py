"""Reports to render: a small one, one of firmware, and a matrix of many cells with noise in them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from edgekit.core import Measurement, Report

HOSTILE = "<script>alert(1)</script>\"'><img src=//x onerror=alert(2)>\x1b[31mred [bold] \N{RIGHT-TO-LEFT OVERRIDE}"
MODELS = ("tiny-speech", "tiny-vision", "wake-word", "small-speech", "embedder")


def make(**changes: Any) -> Report:
    base = Report(
        schema=1,
        bundle={"name": "fake-model", "precision": "int8"},
        fidelity="host",
        host={"cpu": "a cpu", "cores": 2, "release": "an os", "governor": "not readable", "temperature": None},
        versions={"runtime": "1.0"},
        inputs=[{"name": "a.wav", "sha256": "00"}],
        threads=1,
        measurements=(
            Measurement("end_to_end.latency", "s", ((0.0123, 0.0124), (0.0125, 0.0123)), ((0.02,), (0.03,))),
            Measurement("rss.peak", "B", ((52.1e6,), (52.3e6,))),
        ),
        warnings=("THE MACHINE WAS BUSY: very.",),
        outputs=["hello"],
    )
    return replace(base, **changes)


def firmware(model: str = "ds-cnn") -> Report:
    """What an emulator tells: counts, sizes, layers, and times that are estimated only."""
    counts = [353_937, 146_716, 432_606, 146_716, 12_345]
    return make(
        bundle={"name": f"{model} chip c int8", "model": model, "target": "chip", "precision": "int8", "size": 40_000},
        fidelity="emulated",
        host={"cpu": "a board in an emulator", "release": "a chip"},
        measurements=(
            Measurement("network.instructions", "instructions", ((2.79e6, 2.79e6, 2.8e6),)),
            Measurement("footprint.flash", "B", ((35_728.0,),)),
            Measurement("footprint.ram", "B", ((8_864.0,),)),
        ),
        warnings=(),
        layers=tuple({"name": f"CONV_2D {at} <3x3>", "instructions": [count] * 3} for at, count in enumerate(counts)),
        estimates=({"name": "network on a board", "unit": "s", "low": 0.03, "high": 0.05, "basis": "cycles"},),
    )


def cell(model: str, precision: str, threads: int, rng: random.Random, **gate: Any) -> Report:
    """A cell of this machine with 3 processes of 30 values for the whole and each of two parts."""
    speed = 0.02 * (1 + MODELS.index(model)) / threads * (0.6 if precision == "int8" else 1.0)
    bytes_ = 4e6 * (1 + MODELS.index(model)) * (1 if precision == "int8" else 4)

    def times(scale: float) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(scale * rng.lognormvariate(0.0, 0.05) for _ in range(30)) for _ in range(3))

    found = {name: times(speed * share) for name, share in (("end_to_end", 1.0), ("part.a", 0.3), ("part.b", 0.6))}
    sizes = {"rss.anonymous": 2.0 * bytes_, "rss.file": bytes_, "rss.peak": 3.1 * bytes_}
    return make(
        bundle={
            "name": f"{model} laptop onnx {precision}",
            "model": model,
            "target": "laptop",
            "exporter": "onnx",
            "precision": precision,
            "size": bytes_,
            "verdict": "pass" if gate else "not measured",
            "gate": gate,
        },
        threads=threads,
        measurements=(
            *(
                Measurement(f"{name}.latency", "s", values, tuple(group[:3] for group in times(speed * 1.8)))
                for name, values in found.items()
            ),
            *(Measurement(name, "B", ((size,), (size * 1.01,), (size,))) for name, size in sizes.items()),
        ),
        warnings=("unstable: values spread by 8%.",) if threads > 2 else (),
    )


def crowded(report: Report, processes: int = 10) -> Report:
    """The report as a long run of a model of several parts gives it: more processes, measurements, warnings, facts."""
    rng = random.Random(8)
    base = report.measurements[0].values[0][0]

    def times(count: int, share: float = 1.0) -> tuple[tuple[float, ...], ...]:
        return tuple(
            tuple(base * share * rng.lognormvariate(0.0, 0.03) for _ in range(count)) for _ in range(processes)
        )

    parts = (("end_to_end.latency", 60), ("first_token", 60), ("part.a.latency", 60), ("part.b.latency", 60))
    section = {"wall": 3.012345, "calendar": 3.0125, "cpu": 2.98, "busy": 3.4, "steal": 0.01, "involuntary_switches": 9}
    state = {"frequency": 2595.124, "temperature": "not readable", "throttled": None, "load_average": 1.25, "pinned": 2}
    run = {"processes": processes, "loops": [60] * processes, "sections": [section] * processes}
    run["states"] = [[state, state]] * processes
    return replace(
        report,
        measurements=(
            *(Measurement(name, "s", times(count), times(5, 1.5)) for name, count in (*parts, ("part.c.latency", 500))),
            *(Measurement(name, "s", times(1, 20.0)) for name in ("load.bundle", "load.cold", "load.import")),
            *(item for item in report.measurements if item.unit == "B"),
        ),
        host={**report.host, "run": run},
        warnings=tuple(f"unstable: end_to_end.latency of input 1, process {at}: values drift." for at in range(5)),
    )


def matrix(models: int = 5) -> list[Report]:
    """Ten cells a model: 5 precisions, 2 numbers of threads. The accuracy of fp32 is not known."""
    rng = random.Random(7)
    reports = []
    for at, model in enumerate(MODELS[:models]):
        for step, precision in enumerate(("fp32", "fp16", "int8", "int4", "mixed")):
            gate = {"verdict": "pass", "metric": "accuracy", "value": 0.9 - 0.01 * step - 0.02 * at, "reference": 0.91}
            gate |= {"drop": 0.01, "low": -0.002, "high": 0.02, "data": "a set", "samples": 500}
            known = {} if precision == "fp32" else gate
            reports += [cell(model, precision, threads, rng, **known) for threads in (1, 4)]
    return reports
