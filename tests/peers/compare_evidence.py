"""Does agreement on the evidence predict agreement on data that edgekit does not ship?

    python tests/peers/compare_evidence.py ../shared/data BUNDLE... [--most N] [--markdown docs/evidence.md]

Every bundle answers the judged half of its evidence and the shared data of its task (500 photographs, 100 clips of
speech, 106 clips of voices), and so does its fp32 reference. The shares of same answers, their lower bounds by source
and the figures stand side by side. Exit status 1: the evidence flatters a bundle: its share of sources that agree on
the data is below the lower bound on the evidence.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.manifest import Agreement
from edgekit.bundles.opened import makers
from edgekit.core import Model, Predictor, Sample
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.gate.agreement import compare
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.evidence.independence import with_sources
from edgekit.tasks.resolved import evidence_of, predictor_of, task_of

SPEECH = ("librispeech-test-other", "librispeech-train-clean")
#: Task -> folders of the shared data, and how their files end.
DATA = {
    "image-classification": (("imagenet-sample/images",), (".jpg", ".jpeg", ".png")),
    "automatic-speech-recognition": (SPEECH, (".flac", ".wav")),
    "audio-speaker-verification": ((*SPEECH, "speech"), (".flac", ".wav")),
}
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--most", type=int, default=0, help="of the shared samples, evenly spaced; 0: all")
    parser.add_argument("--markdown", type=Path, help="a page, between whose marks the rows are added")
    asked = parser.parse_args()
    rows, flattered = [], False
    for path in asked.bundles:
        evidence, data = judged(path, asked.data, asked.most)
        rows.append(row(path, evidence, data))
        print(rows[-1], flush=True)
        flattered |= data.agreeing / data.sources < (evidence.low or 0.0)
    if asked.markdown:
        added(asked.markdown, rows)
    return int(flattered)


def judged(path: Path, data: Path, most: int) -> tuple[Agreement, Agreement]:
    """The agreement of a bundle with fp32 on its evidence, and on the shared data of its task."""
    bundle = open_bundle(path)
    model = makers(bundle).model
    evidence = evidence_of(model)
    assert evidence is not None, f"{model.name} has no evidence"
    samples = evidence.samples(Path())
    predictors = edgekit.load(path), floats(model, path)
    return (
        agreed(model, predictors, evidence.halves(samples)[1]),
        agreed(model, predictors, shared(model, data, most)),
    )


def floats(model: Model, folder: Path) -> Predictor:
    """The fp32 reference of `model`, with the assets of a bundle folder."""
    fetched, _ = fetch(model.weights.sources)
    others = {name: read_checkpoint(fetch([source])[0]) for name, source in model.weights.companions.items()}
    checkpoint = replace(read_checkpoint(fetched), companions=others)
    parts = {part.name: reference_of(part, part.build(checkpoint)) for part in model.network.parts if part.build}
    return predictor_of(model, parts, folder, model.weights.prepare(checkpoint, folder))


def shared(model: Model, data: Path, most: int) -> list[Sample]:
    """Samples of the shared data. Clips of one reader, by whom their names begin, are one source."""
    folders, endings = DATA[model.task.name]
    files = sorted(file for name in folders for file in (data / name).rglob("*") if file.suffix in endings)
    chosen = files[:: max(1, len(files) // most)][:most] if most else files
    sound = ".wav" in endings
    return [Sample(str(f), None, f.name, source=f.name.split("-")[0] if sound else "") for f in chosen]


def agreed(model: Model, predictors: tuple[Predictor, Predictor], samples: Sequence[Sample]) -> Agreement:
    agreement = task_of(model).agreement
    assert agreement is not None
    sides = [[agreement.answer(predictor.predict(sample.input)) for sample in samples] for predictor in predictors]
    return compare(agreement, *sides, sources=[sample.source for sample in with_sources(samples)])


def row(path: Path, evidence: Agreement, data: Agreement) -> str:
    cells = [path.name]
    for side in (evidence, data):
        figures = ", ".join(f"{name} {value:.4f}" for name, value in side.figures.items())
        sources = f"{side.agreeing} of {side.sources}"
        cells += [f"{side.same} of {side.of}", sources, f"{side.low:.1%}", figures]
    return f"| {' | '.join(cells)} |"


def added(page: Path, rows: Sequence[str]) -> None:
    """The rows, in the page's table; a row of the same bundle is replaced."""
    text = page.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    table, tail = rest.split(END)
    kept = [
        line for line in table.strip().splitlines() if line.split(" | ")[0] not in {r.split(" | ")[0] for r in rows}
    ]
    page.write_text(f"{head}{BEGIN}\n{chr(10).join([*kept, *rows])}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
