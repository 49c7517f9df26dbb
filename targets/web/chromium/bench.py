"""`bench --device chromium` and `verify`: a bundle in a browser of this machine. First its answers, then its times.

What is measured are *replayed calls*, as on a phone (`networks`), or the tokens of a language model (`language`). With
one thread the page is served as most pages are; with more it is isolated, without which a browser shares no memory
between threads.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit.common.processors import usable_processors
from edgekit.core import Calls, Facts, Measured, Trial
from edgekit.errors import Unsupported
from edgekit.targets.common import agreement, values
from edgekit.targets.common.manifest import Manifest, read_manifest
from edgekit.targets.web.chromium.browser import launch
from edgekit.targets.web.modules import TEMPLATES, modules_of
from edgekit.targets.web.npm import RUNTIMES
from edgekit.targets.web.npm_files import WLLAMA, NpmFiles

_PAGE = b"<!doctype html><title>edgekit</title>"
_MOST_THREADS = 4
#: Seconds that proving may take.
_PROOF = 900.0


def measure(trial: Trial) -> Measured:
    """Have a browser replay the calls of `trial`, as `edgekit.core.Device.measure` says.

    Raises:
        MissingExtra: Playwright, a browser, or npm is absent. Unsupported: a browser runs no such files.
        DeviceFailed: the browser did not do its part. ParityFailed: it computes something else.
    """
    manifest, files, kind = _bundle_kind(trial.bundle)
    names = [part["name"] for part in manifest["parts"]]
    counts = trial.threads or tuple(dict.fromkeys((1, min(_MOST_THREADS, usable_processors()))))
    results: dict[str, list[values.Result]] = {_setting(count): [] for count in counts}
    parity: dict[str, Facts] = {}
    with _served_files(trial, manifest, files, kind) as served:
        for process in range(trial.processes):
            for done, count in enumerate(counts if process % 2 == 0 else counts[::-1]):
                trial.progress("measuring in the browser", process * len(counts) + done, trial.processes * len(counts))
                with launch(trial.address, trial.limit) as browser:
                    result, answers = kind.replay(browser, trial, manifest, served, files, count, compare=not parity)
                    version = browser.version
                parity = parity or kind.check(trial.bundle, trial.calls, manifest, answers)
                results[_setting(count)].append(result)
        fetched = (file for file in served.rglob("*") if file.is_file() and not files.is_rare(file.name))
        visit = sum(file.stat().st_size for file in fetched)
    first = results[_setting(counts[0])]
    return {
        "fidelity": "device",
        "local": True,
        "host": {
            "browser": f"Chromium {version}",
            "runtime": f"{files.name} {first[0].runtime}, WebAssembly",
            "measured": kind.MEASURED,
            "parity": parity,
            "visit": visit,
            "run": {"processes": len(first), "settings": list(results), "loops": [_loops(one) for one in first]},
        },
        "versions": {files.name: first[0].runtime, "chromium": version},
        "threads": counts[0],
        "measurements": (
            *values.measurements(results, names, trial.units, times=True),
            *values.agreement(parity),
        ),
        "warnings": ["WebGPU: not measured"],
    }


def prove(bundle: Path, calls: Calls) -> Facts:
    """Run the calls of every part in a browser, and compare the answers with `calls`.

    Returns:
        As `edgekit.targets.android.arm64.emulated.prove`, of the processor "browser".

    Raises:
        As `measure`.
    """
    trial = Trial(bundle, "", calls, {}, (1,), 1, 0, 0, 0.0, _PROOF, lambda what, done, total: None)
    manifest, files, kind = _bundle_kind(bundle)
    with _served_files(trial, manifest, files, kind) as served, launch(limit=_PROOF) as browser:
        result, answers = kind.replay(browser, trial, manifest, served, files, 1, compare=True)
        version = browser.version
    parity = kind.check(bundle, calls, manifest, answers)
    precision = manifest["recipe"]["precision"]
    how = {part["name"]: agreement.arithmetic(part.get("census", {}), precision) for part in manifest["parts"]}
    return {
        "device": f"Chromium {version}",
        "fidelity": "device",
        "runtime": f"{files.name} {result.runtime}",
        "parts": {name: {"arithmetic": how[name], "browser": off} for name, off in parity.items()},
        "memory_at_most": result.peak,
    }


def _bundle_kind(bundle: Path) -> tuple[Manifest, NpmFiles, Any]:
    """The manifest, what runs its files, and the module of this folder with what such bundles take."""
    manifest = read_manifest(bundle)
    if (exporter := manifest["recipe"]["exporter"]) not in RUNTIMES:
        raise Unsupported(
            f"a browser runs no {exporter} files here.", hint="Export with: --target web --runtime onnxruntime-web"
        )
    files = RUNTIMES[exporter]
    return (
        manifest,
        files,
        importlib.import_module(f"edgekit.targets.web.chromium.{'language' if files is WLLAMA else 'networks'}"),
    )


@contextmanager
def _served_files(trial: Trial, manifest: Manifest, files: NpmFiles, kind: Any) -> Iterator[Path]:
    """A folder of what a page loads: the runtime, modules of ours, and the parts by name."""
    with tempfile.TemporaryDirectory(prefix="edgekit-web-") as work:
        place = Path(work)
        for name in (files.folder, "model"):
            (place / name).mkdir()
        (place / "index.html").write_bytes(_PAGE)
        for module in modules_of(TEMPLATES / name for name in (f"core/{files.core}.js", *kind.MODULES)):
            copy = place / module.relative_to(TEMPLATES)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(module, copy)
        trial.progress(f"{files.name} {files.version}", 0, 0)
        files.copy(place / files.folder)
        kind.put_model(trial.bundle, manifest, place / "model")
        yield place


def _setting(threads: int) -> str:
    return f"{threads} thread{'s' * (threads > 1)}"


def _loops(result: values.Result) -> int:
    return len(result.whole) or max(map(len, result.speeds.values()), default=0)
