"""Language models in a browser: the next token after every beginning of the golden prompt, then seconds and tokens.

The page has llama.cpp's server alone, which takes texts and tells the likeliest next token with its probability.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.common.lazy import np
from edgekit.common.packed import unpack
from edgekit.core import Calls, Facts, Trial, fact_of
from edgekit.errors import DeviceFailed, ParityFailed
from edgekit.llama.words import pieces
from edgekit.targets.common import values
from edgekit.targets.common.manifest import Manifest
from edgekit.targets.web.chromium.pages import run
from edgekit.targets.web.npm_files import NpmFiles

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: What the page takes of the templates, beside the runtime's own.
MODULES = ("loops/ChatLoop.js",)
MEASURED = "the first token after the golden prompt, a prompt, and tokens that are generated, in the context of an app"
_SCRIPT, _WORKER = Path(__file__).with_name("replay_language.js"), Path(__file__).with_name("language_worker.js")
_FILE = "network.gguf"
_PROMPT, _GENERATE, _REPEATS = 512, 128, 3
#: Logits by which another token may be likelier there than here: kernels round otherwise.
_TIE = 1.0
#: Of the positions, those at least whose next token is the same.
_SAME = 0.8


def put_model(bundle: Path, manifest: Manifest, out: Path) -> None:
    """Write the model, and the worker that runs it, into the folder `out`."""
    unpack(bundle / manifest["parts"][0]["file"], out / _FILE)
    (out / _WORKER.name).write_bytes(_WORKER.read_bytes())


def replay(
    browser: Browser,
    trial: Trial,
    manifest: Manifest,
    served: Path,
    files: NpmFiles,
    threads: int,
    compare: bool,
) -> tuple[values.Result, Any]:
    """What a fresh page measures; and, to compare, its next tokens and how it goes on with the golden prompt."""
    golden, file = manifest["golden"], served / "model" / _FILE
    (call, _), *_ = trial.calls[manifest["parts"][0]["name"]]
    asked: Facts = {
        "threads": threads,
        "context": min(fact_of(manifest["facts"], name, int) for name in ("context", "trained")),
        "size": file.stat().st_size,
        "beginnings": _beginnings(file, call["tokens"]) if compare else [],
        "prompt": (trial.bundle / golden["input"]).read_text(encoding="utf-8"),
        "answer": golden["output"].partition("\ufffd")[0],
        "compare": compare,
        "counts": {"prompt": _PROMPT, "generate": _GENERATE},
        "repeats": _REPEATS if trial.loops is None else trial.loops,
        "seconds": trial.seconds,
    }
    said, _, peak = run(browser, served, lambda name: None, _SCRIPT, asked, isolated=threads > 1)
    speeds = {name: tuple(group) for name, group in said["speeds"].items()}
    nothing = ((), ())
    result = values.Result(
        files.version, (), said["library"], (), said["loaded"], (), (), nothing, speeds, 0, peak, 0, 0
    )  # fmt: skip
    return result, said


def check(bundle: Path, calls: Calls, manifest: Manifest, answers: Any) -> dict[str, Facts]:
    """How the browser's next tokens after the beginnings of the golden prompt are those of here.

    Returns:
        part -> ``"here"``, the relative error of the log-probabilities of its likeliest tokens; ``"greedy"``, as
        `edgekit.targets.android.arm64.gguf.greedy` gives it; and ``"golden"``, by how many logits it would rather have
        gone on otherwise where it first leaves the recorded answer, 0 where it does not.

    Raises:
        ParityFailed: a token is taken there that is less likely here by more than a logit, or too many differ.
        DeviceFailed: it answered after less than half of the beginnings.
    """
    name = manifest["parts"][0]["name"]
    logits = calls[name][0][1]["logits"].astype(np.float64)
    known = [(at, *one) for at, one in enumerate(answers["next"]) if one]
    if 2 * len(known) < len(logits):
        raise DeviceFailed(f"the browser answered after {len(known)} of {len(logits)} beginnings of the golden prompt.")
    places, taken, there = (np.array(column) for column in zip(*known, strict=True))
    rows = logits[places]
    chosen = rows.argmax(-1)
    margins = rows.max(-1) - np.take_along_axis(rows, taken[:, None], -1)[:, 0]
    best = rows.max(-1, keepdims=True)
    here = -margins - np.log(np.exp(rows - best).sum(-1))
    same = chosen == taken
    greedy: dict[str, float] = {"positions": len(known), "same": int(same.sum())}
    if not same.all():
        greedy |= {"first": int(places[~same][0]), "margin": float(margins.max())}
    off = float(np.sqrt(((there - here) ** 2).mean() / (here**2).mean()))
    margin = max(float(margins.max()), answers["golden"])
    if not (margin <= _TIE and same.mean() >= _SAME):
        raise ParityFailed(
            f"{name!r} goes on with other tokens in the browser: {greedy['same']} of {len(known)} are the same "
            f"({_SAME:.0%} must be), and the likeliest is ahead by up to {margin:.2f} logits (at most {_TIE:.2f}).",
            hint="Report the model and its type: a kernel of llama.cpp is wrong there.",
        )
    return {name: {"here": off, "greedy": greedy, "golden": answers["golden"]}}


def _beginnings(file: Path, tokens: Any) -> list[str]:
    """The text of the first token, of the first two, and so on; "" where it ends inside a character."""
    made, texts = b"", []
    for piece in pieces(file, tokens):
        made += piece
        texts.append("" if "\ufffd" in made.decode("utf-8", "replace") else made.decode())
    return texts
