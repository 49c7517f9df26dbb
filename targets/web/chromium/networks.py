"""Networks in a browser: every call that the golden input makes of every part, replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.common.lazy import NDArray, np
from edgekit.common.packed import unpack
from edgekit.core import Calls, Facts, Feeds, Trial
from edgekit.errors import DeviceFailed, Unsupported
from edgekit.targets.common import agreement, values
from edgekit.targets.common.manifest import Manifest
from edgekit.targets.web.chromium.pages import run
from edgekit.targets.web.npm_files import NpmFiles
from edgekit.targets.web.opening import opening_facts

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: The outputs of a call.
Outputs = dict[str, NDArray[Any]]
#: Its name -> dtype and shape.
Shapes = Mapping[str, tuple[str, list[int]]]
#: What the page takes of the templates, beside the runtime's own.
MODULES = ()
MEASURED = "replayed calls of the golden input; what a page computes between the parts is not in it"
_SCRIPT = Path(__file__).with_name("replay.js")
_MOST_ROUNDS = 500


def put_model(bundle: Path, manifest: Manifest, out: Path) -> None:
    """Write the parts by their names into the folder `out`."""
    for part in manifest["parts"]:
        unpack(bundle / part["file"], out / part["name"])


def replay(
    browser: Browser,
    trial: Trial,
    manifest: Manifest,
    served: Path,
    files: NpmFiles,
    threads: int,
    compare: bool,
) -> tuple[values.Result, dict[str, list[Outputs]]]:
    """What a fresh page measures; and, to compare, its answers to some calls of each part."""
    names = [part["name"] for part in manifest["parts"]]
    calls = [trial.calls[name] for name in names]
    chosen = [agreement.compared_calls(len(one)) if compare else [] for one in calls]
    asked: Facts = {
        "module": files.core,
        "addresses": {word: f"/{files.folder}/{file}" for word, file in files.addresses.items()},
        "threads": threads,
        "parts": [
            {"calls": [_header(feeds) for feeds, _ in trial.calls[part["name"]]], **_opening(manifest, part, served)}
            for part in manifest["parts"]
        ],
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

    said, posted, peak = run(browser, served, content, _SCRIPT, asked, isolated=threads > 1)
    if (most := said["threads"]) != threads:
        raise Unsupported(f"the browser computes with {most} threads at most.", hint=f"Ask for --threads {most}.")
    result = values.Result(
        files.version, (), said["library"], (), said["loaded"], *_times(said["measured"]),
        _times(said["warmups"]), {}, 0, peak, 0, 0,
    )  # fmt: skip
    return result, _answers(names, chosen, said["shapes"], posted)


def _opening(manifest: Manifest, part: Any, served: Path) -> Facts:
    """What the page takes to open a part."""
    declared = [[spec["dtype"] for spec in part[side]] for side in ("inputs", "outputs")]
    more = opening_facts(
        manifest["recipe"]["exporter"], served / "model" / part["name"], part.get("census", {}), declared
    )
    return {"file": part["name"], "inputs": part["inputs"], "outputs": part["outputs"], **more}


def _times(said: Mapping[str, Sequence[Any]]) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    return tuple(said["whole"]), tuple(map(tuple, said["parts"]))


def _header(feeds: Feeds) -> list[Facts]:
    return [
        {"name": name, "dtype": value.dtype.name, "shape": list(value.shape), "size": value.nbytes}
        for name, value in feeds.items()
    ]


def _answers(
    names: Sequence[str], chosen: Sequence[Sequence[int]], shapes: Shapes, posted: Mapping[str, bytes]
) -> dict[str, list[Outputs]]:
    """Part -> the outputs of each call that was chosen."""
    answers: dict[str, list[Outputs]] = {}
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


def check(
    bundle: Path, calls: Calls, manifest: Manifest, answers: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Facts]:
    """How far each part's answers are from fp32 and from here. Raises ParityFailed where too far."""
    golden = agreement.reference(bundle / manifest["golden"]["reference"])
    precision, parity = manifest["recipe"]["precision"], dict[str, Facts]()
    for part in manifest["parts"]:
        name, there = part["name"], answers.get(part["name"], [])
        here = [calls[name][number][1] for number in agreement.compared_calls(len(calls[name]))]
        if len(here) != len(there):
            raise DeviceFailed(f"the browser gave {len(there)} answers to {len(here)} calls of {name}.")
        parity[name] = off = agreement.distances(name, there, here, golden)
        mine = agreement.distances(name, here, here, golden)["fp32"]
        how = agreement.arithmetic(part.get("census", {}), precision)
        agreement.check(name, "the browser", precision, off, how, mine)
    return parity
