"""The verbs `bench`, `compare` and `report`: results as text, JSON and files."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.terminal import console, say, show_json, working
from edgekit.errors import BadInput, Regression, boundary

if TYPE_CHECKING:
    from edgekit.benchmarking.hosted import Limits
    from edgekit.reports.cells import Matrix
    from edgekit.reports.comparing.matrices import Comparison


def bench_(arguments: argparse.Namespace) -> int:
    for name in (arguments.out, arguments.markdown, arguments.junit, arguments.pytest_benchmark):
        _check_writable(name)
    _check_compared(arguments)
    if arguments.models or arguments.targets:
        return _bench_matrix(arguments)
    if not arguments.bundle:
        raise BadInput("there is nothing to measure.", hint="Give a BUNDLE, or --models A,B --targets X,Y")
    for name in ("precisions", "calibration", "data", "weights", "workers"):
        if getattr(arguments, name):
            raise BadInput(f"--{name} is for a matrix.", hint="Give --models and --targets in place of a BUNDLE.")
    if len(arguments.threads) > 1 and (arguments.vs or arguments.device in (None, "host")):
        raise BadInput(
            "several --threads are for a matrix and for connected devices.",
            hint="Give --models and --targets, --device adb, or one number.",
        )
    return _bench_in_turns(arguments) if arguments.vs else _bench_one(arguments)


def _check_compared(arguments: argparse.Namespace) -> None:
    """Raise BadInput for what is about a comparison where nothing is compared: a gate that holds nothing back is
    worse than none."""
    if arguments.vs:
        return
    for name in ("max_regression", "markdown", "junit"):
        if getattr(arguments, name):
            raise BadInput(
                f"--{name.replace('_', '-')} is for a comparison, and there is no second bundle.",
                hint="Give --vs BASE, or compare two reports: edgekit compare BASE.json NEW.json",
            )


def _check_writable(name: str | None) -> None:
    """Raise BadInput for a file that cannot be written, before an hour of measuring."""
    if not name:
        return
    place = Path(name).absolute()
    if place.is_dir():
        raise BadInput(f"{name} is a folder.", hint="Name a file for the report.")
    with boundary():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place.parent):
            pass


def _bench_one(arguments: argparse.Namespace) -> int:
    import msgspec

    from edgekit.benchmarking.benchmark import benchmark
    from edgekit.reports import cells
    from edgekit.reports.report import save
    from edgekit.reports.summary import table

    with working() as progress:
        report = benchmark(
            arguments.bundle,
            inputs=_inputs(arguments),
            threads=arguments.threads,
            device=arguments.device,
            processes=arguments.processes or 5,
            **_limits(arguments)._asdict(),
            synthetic=arguments.synthetic,
            contexts=arguments.contexts,
            progress=progress,
        )
    if arguments.out:
        save(report, Path(arguments.out))
    _write_pytest_benchmark(arguments, cells.of(report))
    if arguments.json:
        show_json(msgspec.to_builtins(report))
    else:
        console().print(table(report))
    return 0


def _bench_in_turns(arguments: argparse.Namespace) -> int:
    """`bench NEW --vs BASE`: both measured in turns, and the comparison."""
    import msgspec

    from edgekit.benchmarking.benchmark import versus
    from edgekit.reports import cells
    from edgekit.reports.comparing.matrices import compare_matrices, json_of
    from edgekit.reports.comparing.proofs import other_bundle
    from edgekit.reports.comparing.reports import parse_regression_limits
    from edgekit.reports.report import save

    gates = parse_regression_limits(arguments.max_regression)
    if arguments.device not in (None, "host"):
        raise BadInput("--vs measures on this machine.", hint="Bench each on its device, then: edgekit compare")
    with working() as progress:
        base, new = versus(
            [arguments.vs, arguments.bundle],
            inputs=_inputs(arguments),
            threads=next(iter(arguments.threads), None),
            processes=arguments.processes or 10,
            limits=_limits(arguments),
            synthetic=arguments.synthetic,
            device=arguments.device,
            progress=progress,
        )
    if arguments.out:
        out = Path(arguments.out)
        save(new, out)
        save(base, out.with_name(f"{out.stem}-base{out.suffix}"))
    # Who names two bundles of other models or targets here means them.
    force = bool(other_bundle(base, new))
    comparisons = compare_matrices(cells.of(base), cells.of(new), max_regression=gates, force=force)
    document = {"base": msgspec.to_builtins(base), "new": msgspec.to_builtins(new), "rows": json_of(comparisons)}
    return _show_comparison(arguments, comparisons, cells.of(new), document, bool(arguments.max_regression))


def _bench_matrix(arguments: argparse.Namespace) -> int:
    """Exit code 8 where a cell that could be measured was not; refused ones are an answer."""
    import msgspec

    from edgekit.benchmarking.matrix import Plan, matrix
    from edgekit.reports import cells

    if arguments.bundle or arguments.vs or arguments.device:
        raise BadInput("a matrix exports its own bundles.", hint="Give either a BUNDLE, or --models and --targets.")
    plan = Plan(
        models=tuple(arguments.models),
        targets=tuple(arguments.targets),
        precisions=tuple(arguments.precisions),
        threads=tuple(arguments.threads),
        inputs=tuple(_inputs(arguments)),
        synthetic=arguments.synthetic,
        contexts=tuple(arguments.contexts or ()),
        calibration=_per_model(arguments.calibration),
        data=_per_model(arguments.data),
        weights=_per_model(arguments.weights),
        processes=arguments.processes or 5,
        limits=_limits(arguments),
    )
    with working() as progress:
        result = matrix(plan, Path(arguments.work), workers=arguments.workers, progress=progress)
    if arguments.out:
        cells.save(result, Path(arguments.out))
    _write_pytest_benchmark(arguments, result)
    if arguments.json:
        show_json(msgspec.to_builtins(result))
    else:
        console().print(cells.table(result))
    # On this machine, weights out of reach are an answer, too; on a pool, a cell without a device is a failure.
    answers = ("measured", "refused", *(("not measured",) if not arguments.workers else ()))
    return 0 if all(cell.outcome in answers for cell in result.cells) else 8


def _inputs(arguments: argparse.Namespace) -> list[str]:
    return [name for group in arguments.input for name in group]


def _limits(arguments: argparse.Namespace) -> Limits:
    from edgekit.benchmarking.hosted import Limits

    return Limits(arguments.warmups, arguments.loops, arguments.seconds, arguments.limit, arguments.memory)


def _per_model(texts: Sequence[str]) -> dict[str, str]:
    """Model -> path, of texts ``MODEL=PATH``, or ``PATH`` for all other models ("")."""
    paths = {}
    for text in texts:
        model, equals, path = text.partition("=")
        paths[model if equals else ""] = path if equals else text
    return paths


def compare_(arguments: argparse.Namespace) -> int:
    from edgekit.reports import cells
    from edgekit.reports.comparing.matrices import compare_matrices, json_of
    from edgekit.reports.comparing.reports import parse_regression_limits

    gates = parse_regression_limits(arguments.max_regression)
    base, new = cells.load(Path(arguments.base)), cells.load(Path(arguments.new))
    comparisons = compare_matrices(base, new, max_regression=gates, force=arguments.force)
    return _show_comparison(arguments, comparisons, new, json_of(comparisons), True)


def _show_comparison(
    arguments: argparse.Namespace, rows: Sequence[Comparison], new: Matrix, document: Any, gate: bool
) -> int:
    """Print and write a comparison. Raises Regression if `gate` and a measurement got worse."""
    from edgekit.common.files import write_whole
    from edgekit.reports.comparing.junit import junit
    from edgekit.reports.comparing.markdown import markdown
    from edgekit.reports.comparing.matrices import losses, render_comparisons

    if arguments.markdown:
        write_whole(Path(arguments.markdown), markdown(rows).encode())
    if arguments.junit:
        write_whole(Path(arguments.junit), junit(rows))
    _write_pytest_benchmark(arguments, new)
    if arguments.json:
        show_json(document)
    else:
        for part in render_comparisons(rows):
            console().print(part)
    worse = losses(rows)
    if not worse or not gate:
        return 0
    exc = Regression(f"worse by more than was allowed: {', '.join(worse)}.")
    if not arguments.json:
        raise exc
    print(f"edgekit: {exc}", file=sys.stderr)  # the document on standard output is the rows
    return Regression.exit_code


def _write_pytest_benchmark(arguments: argparse.Namespace, matrix: Matrix) -> None:
    if arguments.pytest_benchmark:
        from edgekit.common.files import write_whole
        from edgekit.reports.pytest_benchmark import pytest_benchmark

        text = json.dumps(pytest_benchmark(matrix), indent=1)
        write_whole(Path(arguments.pytest_benchmark), text.encode() + b"\n")


def report_(arguments: argparse.Namespace) -> None:
    import msgspec

    from edgekit.reports import cells
    from edgekit.reports.reading import report
    from edgekit.reports.summary import table

    matrices = report(*arguments.reports, html=arguments.html)
    if arguments.json:
        # A single report as its file has it, a matrix as a matrix.
        show_json([msgspec.to_builtins(item if item.plan else item.cells[0].report) for item in matrices])
    elif arguments.html:
        count = sum(cell.report is not None for matrix in matrices for cell in matrix.cells)
        say(f"{arguments.html} written: {count} report(s)")
    else:
        for matrix in matrices:
            if matrix.plan:
                console().print(cells.table(matrix))
            for cell in matrix.cells:
                if cell.report is not None:
                    console().print(table(cell.report))
