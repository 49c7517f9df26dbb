"""The manifest of a bundle, as typed JSON.

A manifest comes from outside, so reading is strict: unknown fields, wrong types, a newer schema and names that leave
the bundle's folder are refused. ``digest`` is the sha256 of the canonical JSON without itself, and ``files`` holds the
hash of every other file, so that any changed byte is detected.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

import msgspec

from edgekit.common.documents import parse_json
from edgekit.common.files import is_inside
from edgekit.errors import BadInput, install_command

#: Raised with every change that an older reader would misunderstand. Since 3, verdicts name their basis; since 4, there
#: is evidence with its agreement, and models may come from an importer; since 5, bounds count independent sources and a
#: pass needs a floor; since 6, recipes name a runtime; since 7, it is recorded which samples of evidence could choose,
#: and how far each part was from fp32 on the golden input.
SCHEMA = 7
JUDGED_BY_SOURCE = 5
_OLDEST = 2
NAME = "manifest.json"
#: Bytes: a file that is larger is no manifest.
LARGEST = 16 * 2**20


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ModelFacts(_Strict, frozen=True):
    """A model; `importer` names what read its source, "" for a model that edgekit declares."""

    name: str
    family: str
    task: str
    parameters: int
    importer: str = ""

    @property
    def export_argument(self) -> str:
        """What `edgekit export` takes for it: its name, or a placeholder for a user's own file or address."""
        return "SOURCE" if self.importer else self.name


class SourceFacts(_Strict, frozen=True):
    """The source of the weights; `pinned` is False for the user's own weights."""

    uri: str
    revision: str
    format: str
    pinned: bool
    files: dict[str, str]


class TargetFacts(_Strict, frozen=True):
    """A target; `runtime` is what an app must ship, by runtime (before schema 6 by exporter)."""

    name: str
    system: str
    processor: str
    runtime: dict[str, str]


class RecipeFacts(_Strict, frozen=True):
    """A recipe, accepted or tried; `edgekit.bundles.facts.recipe_in` reads that of every schema."""

    exporter: str
    precision: str
    options: dict[str, Any] = {}
    runtime: str = ""


class Tensor(_Strict, frozen=True):
    name: str
    dtype: str
    shape: list[int | str]


class PartFacts(_Strict, frozen=True):
    """A part: its file, its inputs and outputs, its operators, and its relative error against fp32 (`parity`; None: it
    was not run, and the census says why)."""

    name: str
    file: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    census: dict[str, Any]
    parity: float | None


class File(_Strict, frozen=True):
    sha256: str
    size: int


class Golden(_Strict, frozen=True):
    """A real input, and the fp32 reference's sampled outputs of every part and final output. `errors`: how far each
    part was from them when the bundle was made, fed by the parts before it; empty where it was not run."""

    input: str
    reference: str
    output: str
    reference_output: str
    errors: dict[str, float] = {}


class Score(_Strict, frozen=True):
    """A metric's value, and that of the fp32 reference on the same samples (None: not measured)."""

    value: float
    reference: float | None = None


class Verdict(_Strict, frozen=True):
    """The gate's verdict. Values are in the metric's unit; `low` and `high` bound the drop (95 %).

    `others` are further metrics, which decide nothing. `basis` names what the verdict rests on: the
    absolute bar, the loss against the fp32 reference on the same samples, the interval of that loss. A pass rests on
    all three; with the bar alone it is "above the bar" or "below the bar".
    """

    verdict: Literal["pass", "fail", "undecided", "not measured", "above the bar", "below the bar"]
    reason: str
    metric: str = ""
    samples: int = 0
    value: float | None = None
    reference: float | None = None
    drop: float | None = None
    low: float | None = None
    high: float | None = None
    data: str = ""
    others: dict[str, Score] = {}
    basis: tuple[Literal["bar", "loss", "interval"], ...] = ()

    @property
    def verdict_text(self) -> str:
        """The verdict as text, with the basis of a pass or a failure."""
        return f"{self.verdict} by {', '.join(self.basis)}" if self.verdict in ("pass", "fail") else self.verdict


class Agreement(_Strict, frozen=True):
    """How many answers are those of the fp32 reference, on the same samples.

    Attributes:
        what: what counts as the same answer. same, of: number of same answers, and of samples to which the reference
            answers something. agreeing, sources: of their independent sources, those with all answers the same.
        empty_same, empty: the same, of samples to which the reference answers nothing.
        low: lower end of the 95 % interval of the share of agreeing sources.
        bar: least share that is accepted. floor: least `low` for a pass.
        figures: further figures (a cosine, a KL divergence in nats).
        tried: of how many recipes this one was chosen, on other samples than these.
    """

    verdict: Literal["pass", "fail", "undecided", "not measured"]
    reason: str
    what: str = ""
    same: int = 0
    of: int = 0
    low: float | None = None
    bar: float | None = None
    figures: dict[str, float] = {}
    sources: int = 0
    agreeing: int = 0
    empty: int = 0
    empty_same: int = 0
    floor: float | None = None
    tried: int = 1


class Evidence(_Strict, frozen=True):
    """Real samples of the task by which the bundle was judged, and the fp32 reference's answers to them.

    Attributes:
        name, licence, origin: of the set. calibrated: number of its samples that calibrated the bundle.
        samples: those that were judged: name -> sha256. choosing: how many of them, the first ones, could choose the
            recipe (0: not recorded, so all of them may have). answers: the file in the bundle that holds the
            reference's answers; positions: that with what it expects next in them. "" if there is none.
    """

    agreement: Agreement
    name: str = ""
    licence: str = ""
    origin: str = ""
    calibrated: int = 0
    samples: dict[str, str] = {}
    choosing: int = 0
    answers: str = ""
    positions: str = ""


class Attempt(_Strict, frozen=True):
    """A recipe that was tried, and why it was accepted or refused."""

    recipe: RecipeFacts
    outcome: str


class Manifest(_Strict, frozen=True):
    schema: int
    edgekit: str
    key: str
    model: ModelFacts
    source: SourceFacts
    target: TargetFacts
    recipe: RecipeFacts
    parts: list[PartFacts]
    facts: dict[str, Any]
    golden: Golden
    gate: Verdict
    attempts: list[Attempt]
    licences: dict[str, str]
    versions: dict[str, str]
    files: dict[str, File]
    evidence: Evidence | None = None
    digest: str = ""

    @property
    def app_dependency(self) -> str:
        """What an app must ship to run the bundle, such as Maven coordinates; "" where the target does not say."""
        return self.target.runtime.get(self.recipe.runtime or self.recipe.exporter, "")


def encode(manifest: Manifest) -> bytes:
    """Canonical, indented JSON with the digest filled in. Raises ValueError for what JSON does not have (NaN)."""
    signed = msgspec.structs.replace(manifest, digest=_digest(manifest))
    return json.dumps(_plain(signed), indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def decode(data: bytes) -> Manifest:
    """The manifest in `data`.

    Raises:
        BadInput: not JSON, of a newer schema, of other fields or types, with a name that leaves the bundle, or edited.
    """
    raw = parse_json(data, "the manifest", hint=_AGAIN)
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise BadInput(
            f"the bundle has manifest schema {schema}; this edgekit reads up to {SCHEMA}.",
            hint=f"Take a newer edgekit, then: {install_command('', '--upgrade')}",
        )
    try:
        manifest = msgspec.convert(raw, Manifest)
        written = encode(manifest)
    except ValueError as exc:
        raise BadInput(f"the manifest does not have the form of schema {SCHEMA}: {exc}.", hint=_AGAIN) from exc
    if manifest.schema < _OLDEST:
        raise BadInput(
            f"the bundle has manifest schema {manifest.schema}; this edgekit reads {_OLDEST} to {SCHEMA}.", hint=_AGAIN
        )
    for name in _named_files(manifest):
        if not is_inside(name):
            raise BadInput(
                f"the bundle names a file that is not inside it: {name!r}. It may be hostile: do not use it."
            )
    # The whole file, not the digest alone: changed spaces or repeated keys would mean the same to this reader only.
    if data != written:
        raise BadInput("the manifest was changed after it was written: its digest does not match.", hint=_AGAIN)
    return manifest


_AGAIN = "Export the bundle again, or fetch it again from where it came."


def _named_files(manifest: Manifest) -> list[str]:
    """Every file name that the manifest mentions."""
    named = [*manifest.files, *(part.file for part in manifest.parts)]
    if manifest.evidence:
        named += filter(None, (manifest.evidence.answers, manifest.evidence.positions))
    return [*named, manifest.golden.input, manifest.golden.reference]


def _plain(manifest: Manifest) -> dict[str, Any]:
    """The manifest as JSON data; of an older schema without its newer fields, so that it encodes to the same bytes."""
    plain: dict[str, Any] = msgspec.to_builtins(manifest)
    if manifest.schema < 7:
        del plain["golden"]["errors"]
        if plain["evidence"]:
            del plain["evidence"]["choosing"]
    if manifest.schema < 6:
        for recipe in (plain["recipe"], *(attempt["recipe"] for attempt in plain["attempts"])):
            del recipe["runtime"]
    if manifest.schema < 5 and plain["evidence"]:
        for name in ("sources", "agreeing", "empty", "empty_same", "floor", "tried"):
            del plain["evidence"]["agreement"][name]
        del plain["evidence"]["positions"]
    if manifest.schema < 4:
        del plain["model"]["importer"]
    if manifest.schema < 3:
        del plain["evidence"], plain["gate"]["basis"]
    return plain


def _digest(manifest: Manifest) -> str:
    plain = _plain(msgspec.structs.replace(manifest, digest=""))
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
