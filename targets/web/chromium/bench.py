"""`bench --device chromium` and `verify`: a bundle in a browser of this machine. First its answers, then its times.

What is measured are *replayed calls*, as on a phone: every call that the golden input makes of every part, with the
inputs that it had on this machine. What a page computes between the parts is not in it. With one thread the page is
served as most pages are; with more it is isolated, without which a browser shares no memory between threads.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.common.packed import unpack
from edgekit.common.processors import usable_processors
from edgekit.core import Calls, Trial
from edgekit.errors import DeviceFailed, Unsupported
from edgekit.targets.common import agreement, values
from edgekit.targets.web import onnxruntime_web as runtime_files
from edgekit.targets.web.chromium.browser import launch, processes
from edgekit.targets.web.chromium.server import serve
from edgekit.targets.web.modules import TEMPLATES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["measure", "prove"]

_SCRIPT = Path(__file__).with_name("replay.js")
_PAGE = b"<!doctype html><title>edgekit</title>"
_MOST_ROUNDS, _MOST_THREADS = 500, 4
#: Seconds that proving may take.
_PROOF = 900.0
_REPLAYED = "replayed calls of the golden input; what a page computes between the parts is not in it"


def measure(trial: Trial) -> Mapping[str, Any]:
    """Have a browser replay the calls of `trial`, as `edgekit.core.Device.measure` says.

    Raises:
        MissingExtra: Playwright, a browser, or npm is absent. Unsupported: a browser runs no such files.
        DeviceFailed: the browser did not do its part. ParityFailed: it computes something else.
    """
    manifest = _manifest_of(trial.bundle)
    names = [part["name"] for part in manifest["parts"]]
    counts = trial.threads or tuple(dict.fromkeys((1, min(_MOST_THREADS, usable_processors()))))
    results: dict[str, list[values.Result]] = {_setting(count): [] for count in counts}
    parity: dict[str, Any] = {}
    with _served_files(trial, manifest) as served:
        for process in range(trial.processes):
            for done, count in enumerate(counts if process % 2 == 0 else counts[::-1]):
                trial.progress("measuring in the browser", process * len(counts) + done, trial.processes * len(counts))
                with launch(trial.address, trial.limit) as browser:
                    result, answers = _replay(browser, trial, served, names, count, compare=not parity)
                    version = browser.version
                parity = parity or _check_answers(trial.bundle, trial.calls, manifest, answers)
                results[_setting(count)].append(result)
        visit = sum(file.stat().st_size for file in served.rglob("*") if file.is_file())
    first = results[_setting(counts[0])]
    return {
        "fidelity": "device",
        "local": True,
        "host": {
            "browser": f"Chromium {version}",
            "runtime": f"onnxruntime-web {first[0].runtime}, WebAssembly",
            "measured": _REPLAYED,
            "parity": parity,
            "visit": visit,
            "run": {"processes": len(first), "settings": list(results), "loops": [len(one.whole) for one in first]},
        },
        "versions": {"onnxruntime-web": first[0].runtime, "chromium": version},
        "threads": counts[0],
        "measurements": (
            *values.measurements(results, names, trial.units, times=True),
            *values.agreement(parity),
        ),
        "warnings": ["WebGPU: not measured"],
    }


def prove(bundle: Path, calls: Calls) -> Mapping[str, Any]:
    """Run the calls of every part in a browser, and compare the answers with `calls`.

    Returns:
        As `edgekit.targets.android.arm64.emulated.prove`, of the processor "browser".

    Raises:
        As `measure`.
    """
    trial = Trial(bundle, "", calls, {}, (1,), 1, 0, 0, 0.0, _PROOF, lambda what, done, total: None)
    manifest = _manifest_of(bundle)
    names = [part["name"] for part in manifest["parts"]]
    with _served_files(trial, manifest) as served, launch(limit=_PROOF) as browser:
        result, answers = _replay(browser, trial, served, names, 1, compare=True)
        version = browser.version
    parity = _check_answers(bundle, calls, manifest, answers)
    how = {part["name"]: _arithmetic(part, manifest) for part in manifest["parts"]}
    return {
        "device": f"Chromium {version}",
        "fidelity": "device",
        "runtime": f"onnxruntime-web {result.runtime}",
        "parts": {name: {"arithmetic": how[name], "browser": off} for name, off in parity.items()},
        "memory_at_most": result.peak,
    }


def _manifest_of(bundle: Path) -> Any:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    if (exporter := manifest["recipe"]["exporter"]) != "onnx":
        raise Unsupported(
            f"a browser runs no {exporter} files here.", hint="Export with: --target web --runtime onnxruntime-web"
        )
    return manifest


@contextmanager
def _served_files(trial: Trial, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """A folder of what a page loads: the runtime, and the parts by name."""
    with tempfile.TemporaryDirectory(prefix="edgekit-web-") as work:
        place = Path(work)
        for name in ("ort", "model"):
            (place / name).mkdir()
        (place / "index.html").write_bytes(_PAGE)
        shutil.copyfile(TEMPLATES / "core" / "weights.js", place / "weights.js")
        trial.progress(f"onnxruntime-web {runtime_files.VERSION}", 0, 0)
        runtime_files.copy_files(place / "ort")
        for part in manifest["parts"]:
            unpack(trial.bundle / part["file"], place / "model" / part["name"])
        yield place


def _arithmetic(part: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    return agreement.arithmetic(part.get("census", {}), manifest["recipe"]["precision"])


def _setting(threads: int) -> str:
    return f"{threads} thread{'s' * (threads > 1)}"


def _replay(
    browser: Browser,
    trial: Trial,
    served: Path,
    names: Sequence[str],
    threads: int,
    compare: bool,
) -> tuple[values.Result, dict[str, list[dict[str, Any]]]]:
    """What a fresh page measures; and, to compare, its answers to some calls of each part."""
    from playwright.sync_api import Error

    calls = [trial.calls[name] for name in names]
    chosen = [agreement.compared_calls(len(one)) if compare else [] for one in calls]
    asked = {
        "threads": threads,
        "parts": [{"file": name, "calls": [_header(feeds) for feeds, _ in trial.calls[name]]} for name in names],
        "compared": chosen,
        "warmups": trial.warmups,
        "loops": _MOST_ROUNDS if trial.loops is None else trial.loops,
        "seconds": trial.seconds,
    }

    def content(name: str) -> bytes | None:
        kind, *place = name.split("/")
        if kind != "call":
            return None
        part, number = map(int, place)
        return b"".join(value.tobytes() for value in calls[part][number][0].values())

    with serve(served, content, isolated=threads > 1) as (address, posted):
        page = browser.new_page()
        try:
            page.goto(f"{address}index.html")
            said = page.evaluate(_SCRIPT.read_text(encoding="utf-8"), asked)
        except Error as exc:
            raise DeviceFailed(f"the browser failed: {exc.message.strip().splitlines()[0][:300]}") from exc
        peak = _peak(browser)
    result = values.Result(
        said["version"], (), said["library"], (), said["loaded"], *_times(said["measured"]),
        _times(said["warmups"]), {}, 0, peak, 0, 0,
    )  # fmt: skip
    return result, _answers(names, chosen, said["shapes"], posted)


def _times(said: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    return tuple(said["whole"]), tuple(map(tuple, said["parts"]))


def _header(feeds: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "dtype": value.dtype.name, "shape": list(value.shape), "size": value.nbytes}
        for name, value in feeds.items()
    ]


def _answers(
    names: Sequence[str], chosen: Sequence[Sequence[int]], shapes: Mapping[str, Any], posted: Mapping[str, bytes]
) -> dict[str, list[dict[str, Any]]]:
    """Part -> the outputs of each call that was chosen."""
    import numpy as np

    answers: dict[str, list[dict[str, Any]]] = {}
    for at, name in enumerate(names):
        for number in chosen[at]:
            prefix = f"{at}/{number}/"
            answers.setdefault(name, []).append(
                {
                    key.removeprefix(prefix): np.frombuffer(posted[f"answer/{key}"], dtype).reshape(shape)
                    for key, (dtype, shape) in shapes.items()
                    if key.startswith(prefix)
                }
            )
    return answers


def _check_answers(
    bundle: Path, calls: Calls, manifest: Mapping[str, Any], answers: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """How far each part's answers are from fp32 and from here. Raises ParityFailed where too far."""
    golden = agreement.reference(bundle / manifest["golden"]["reference"])
    precision, parity = manifest["recipe"]["precision"], dict[str, Any]()
    for part in manifest["parts"]:
        name, there = part["name"], answers.get(part["name"], [])
        here = [calls[name][number][1] for number in agreement.compared_calls(len(calls[name]))]
        if len(here) != len(there):
            raise DeviceFailed(f"the browser gave {len(there)} answers to {len(here)} calls of {name}.")
        parity[name] = off = agreement.distances(name, there, here, golden)
        mine = agreement.distances(name, here, here, golden)["fp32"]
        agreement.check(name, "the browser", precision, off, _arithmetic(part, manifest), mine)
    return parity


def _peak(browser: Browser) -> int:
    """Bytes of memory that the page's process took at most; 0 where the system does not tell."""
    return max(map(_peak_of, processes(browser, "renderer")), default=0)


def _peak_of(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
