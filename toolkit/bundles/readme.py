"""The README of a bundle: what is in the folder and how an app uses it."""

from __future__ import annotations

from edgekit.bundles import places
from edgekit.bundles.facts import call_time
from edgekit.bundles.manifest import Manifest, Tensor
from edgekit.common.figures import NOT_MEASURED
from edgekit.common.packed import SUFFIX


def render(manifest: Manifest) -> str:
    """Markdown from the manifest's own facts."""
    recipe, gate, evidence = manifest.recipe, manifest.gate, manifest.evidence
    lines = [
        f"# {manifest.model.name} for {manifest.target.name} ({recipe.runtime or recipe.exporter}, {recipe.precision})",
        "",
        f"Made by edgekit {manifest.edgekit} from {_origin(manifest)}.",
        f"Weights: {manifest.licences['weights']} (licences/weights.txt).",
        *([f"Agreement with fp32: {evidence.agreement.verdict}, {evidence.agreement.reason}."] if evidence else []),
        f"Accuracy: {gate.verdict_text}, {gate.reason}.",
        f"Speed on {manifest.target.name}: not measured here. Measure with `edgekit bench`.",
        *(
            f"On the machine that made this bundle, {part.name} in {recipe.precision} is SLOWER than in fp32: "
            f"{time.ratio:.2f} times."
            for part in manifest.parts
            if (time := call_time(part.census)) is not None and time.slower
        ),
        *(
            f"Whether {part.name} in {recipe.precision} is faster than in fp32: not measured: {time.missing}."
            for part in manifest.parts
            if (time := call_time(part.census)) is not None and time.missing
        ),
        *(
            line
            for part in manifest.parts
            for placement in places.placements_of(part.census)
            for line in places.describe(part.name, placement)
        ),
        "",
        "| part | file | away from fp32 | inputs | outputs |",
        "|---|---|---|---|---|",
    ]
    for part in manifest.parts:
        inputs, outputs = _tensors(part.inputs), _tensors(part.outputs)
        lines.append(f"| {part.name} | {part.file} | {_away(part.parity)} | {inputs} | {outputs} |")
    if any(part.file.endswith(SUFFIX) for part in manifest.parts):
        lines += [
            "",
            f"Files that end in {SUFFIX} are packed: edgekit opens them as they are, other programs after `gunzip`.",
        ]
    runtime = manifest.app_dependency
    lines += [
        "",
        f"Runtime: `{runtime}`." if runtime else "Runtime: see manifest.json.",
        "What a caller must know (sample rate, special tokens, window sizes) is under `facts` in manifest.json.",
        *manifest.facts.get("advice", ()),
        f"Golden check: feed {manifest.golden.input}, expect: {manifest.golden.output!r}.",
        "",
        "```python",
        "import edgekit",
        f'print(edgekit.load("this-folder").predict("{_sample(manifest)}").output)',
        "```",
        "",
        "Prove it again with `edgekit verify this-folder`.",
        "",
    ]
    return "\n".join(lines)


def _origin(manifest: Manifest) -> str:
    """Where the weights are from; a traced file's are those of the program in the cache, which has no address."""
    if manifest.model.importer == "python-file":
        return "a Python file, which was traced"
    return f"{manifest.source.uri} {manifest.source.revision}".rstrip()


def _sample(manifest: Manifest) -> str:
    """An input for the example: a prompt, or the golden input's file."""
    if manifest.model.task == "text-generation":
        return "Why is the sky blue?"
    return f"this-folder/{manifest.golden.input}"


def _away(parity: float | None) -> str:
    return NOT_MEASURED if parity is None else f"{parity:.2e}"


def _tensors(tensors: list[Tensor]) -> str:
    """The first few by name and shape; a decoder has dozens of caches."""
    shown = [f"`{t.name}` {t.dtype} {t.shape}" for t in tensors[:3]]
    return ", ".join(shown) + (f" and {len(tensors) - 3} more" if len(tensors) > 3 else "")
