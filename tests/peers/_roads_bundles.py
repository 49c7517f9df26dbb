"""The bundles of compare_phone_roads.py: made once, by the command that people type, and taken from then on."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle

RUNTIMES = ("onnxruntime", "litert", "executorch")
PRECISIONS = ("fp32", "int8")
#: The `edgekit` command of this interpreter's environment, whatever the PATH says.
_EDGEKIT = (sys.executable, "-c", "import sys; from edgekit.cli.command import main; main(sys.argv[1:])")


@dataclass(frozen=True)
class Subject:
    """A model, and folders of the shared data: what calibrates it, what its metric is measured on ("": nothing).

    `split`: every so many-th row of the labels calibrates, the others measure, so that none does both.
    """

    model: str
    calibration: str = ""
    data: str = ""
    split: int = 0


#: ds-cnn-kws is calibrated on its golden words, openwakeword-hey-jarvis on its golden sound.
SUBJECTS = (
    Subject("efficientnet-lite0", "imagenet-sample", "imagenet-sample", split=5),
    Subject("mobilenet-v1-025-vww", "imagenet-sample/images"),
    Subject("ds-cnn-kws", data="mlperf-tiny-kws"),
    Subject("openwakeword-hey-jarvis"),
    Subject("ecapa-tdnn", "librispeech-train-clean", "librispeech-test-other"),
    Subject("ge2e-speaker", "librispeech-train-clean", "librispeech-test-other"),
)


@dataclass(frozen=True)
class Road:
    """One model by one runtime in one precision: its bundle, or why there is none."""

    model: str
    runtime: str
    precision: str
    bundle: Bundle | None
    refused: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.runtime, self.precision


def roads(subject: Subject, shared: Path, folder: Path) -> list[Road]:
    """Every road of a model. What `folder` lacks is exported into it; a refusal is kept there too, as a .json."""
    return [_road(subject, shared, folder, runtime, precision) for precision in PRECISIONS for runtime in RUNTIMES]


def _road(subject: Subject, shared: Path, folder: Path, runtime: str, precision: str) -> Road:
    place = folder / f"{subject.model}-{runtime}-{precision}"
    kept = Path(f"{place}.json")
    if not place.exists() and not kept.exists():
        print(f"exporting {place.name}", file=sys.stderr, flush=True)
        calibration, data = _data(subject, shared, folder)
        command = [*_EDGEKIT, "export", subject.model, "--target", "android", "--json"]
        command += ["--runtime", runtime, "--precision", precision, "--no-fallback", "--out", str(place)]
        command += ["--calibration", str(calibration)] if calibration and precision == "int8" else []
        command += ["--data", str(data)] if data else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not place.exists():
            kept.write_text(json.dumps({"refused": _why(done.stdout, done.stderr)}, indent=1) + "\n", encoding="utf-8")
    if place.exists():
        return Road(subject.model, runtime, precision, open_bundle(place, hashes=False))
    return Road(subject.model, runtime, precision, None, str(json.loads(kept.read_bytes())["refused"]))


def _why(out: str, err: str) -> str:
    """The typed error of an export. One that was killed, or failed in another way, is no refusal, and ends this."""
    try:
        return str(json.loads(out)["message"])
    except (ValueError, KeyError, TypeError):
        sys.exit(f"the export failed: {(err.strip().splitlines() or ['it said nothing'])[-1][:300]}")


def _data(subject: Subject, shared: Path, folder: Path) -> tuple[Path | None, Path | None]:
    if subject.split:
        return split(shared / subject.data, folder / f"data-{subject.data}", subject.split)
    return (shared / subject.calibration if subject.calibration else None), (
        shared / subject.data if subject.data else None
    )


def split(source: Path, out: Path, every: int) -> tuple[Path, Path]:
    """Two data folders of one with a labels.csv: every so many-th of its rows to calibrate with, the others to test on.

    Files are not copied: the folders hold links.
    """
    with (source / "labels.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file))
    chosen = (("calibration", rows[::every]), ("test", [row for i, row in enumerate(rows) if i % every]))
    for name, some in chosen:
        place = out / name
        place.mkdir(parents=True, exist_ok=True)
        for one in source.iterdir():
            link = place / one.name
            if one.is_dir() and not link.exists():
                link.symlink_to(one.resolve())
        with (place / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *some])
    return out / "calibration", out / "test"
