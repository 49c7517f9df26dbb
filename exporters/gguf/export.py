"""The steps of a GGUF export: 16 bits, importance matrix, quantization, census. Every step's file is kept in `work`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.common.processors import usable_processors
from edgekit.core import Artifact, Checkpoint, Model, Progress
from edgekit.errors import BadInput, Unsupported
from edgekit.exporters.common.writer import Request
from edgekit.exporters.gguf import importance
from edgekit.exporters.gguf.census import Rounding, census, nominal
from edgekit.exporters.gguf.convert import convert
from edgekit.exporters.gguf.quantize import quantize
from edgekit.exporters.gguf.rounding import inputs
from edgekit.exporters.gguf.rounding.files import ROUNDED, round_file
from edgekit.formats import gguf
from edgekit.runtimes.llama_cpp.runner import LlamaRunner

#: Types that are useless without an importance matrix; llama.cpp refuses them (``tensor_requires_imatrix``), by tensor,
#: some of them only when every tensor before has been worked on.
_NEEDY = ("iq3_xxs", "q2_k_s", "iq2_m", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_m", "iq1_s", "iq3_xs")
_HALF = ("f16", "bf16")
_QUANTIZED = frozenset(kind for kind, block, _ in gguf.GGML_TYPES.values() if block > 1)


@dataclass(frozen=True)
class Wish:
    """What a recipe asks for: see `edgekit.exporters.gguf.GgufExporter`."""

    precision: str
    chunks: int
    embedding: str = ""
    rounding: str = "inputs"

    @property
    def by_inputs(self) -> bool:
        """Whether matrices are rounded by their inputs, where there is text."""
        return self.rounding == "inputs" and self.precision in ROUNDED and not self.embedding


def export(request: Request, wish: Wish) -> list[Artifact]:
    """See `edgekit.exporters.gguf.GgufExporter.write`."""
    checkpoint, work, progress = request.checkpoint, request.work, request.progress
    part, precision = _part(request.model), wish.precision
    work.mkdir(parents=True, exist_ok=True)
    base, kept = _base(checkpoint, work, progress), gguf.read(_file(checkpoint)) if _is_gguf(checkpoint) else None
    texts = [feeds["tokens"] for feeds in request.calibration.get(part, ())[1:]]
    facts: dict[str, int] | None = None
    rounding: Rounding | None = None
    if kept is not None and kept.file_type == precision and not wish.embedding:
        made, source = _join_shards(base, work), f"{precision}, taken as it is"
    elif precision in ("f32", *_HALF):
        made = _ensure_precision(base, work / f"{precision}.gguf", precision, None, progress)
        source = _describe_source(base)
    elif wish.by_inputs and texts:
        made, rounding = _round_by_inputs(base, texts, wish, work, progress)
        source, facts = _describe_source(base), {"chunks": rounding["chunks"], "tokens": rounding["tokens"]}
    else:
        matrix, facts = _matrix(base, texts, wish.chunks, precision, work, progress)
        file = work / f"{precision}{wish.embedding}{'-importance' if matrix else ''}.gguf"
        made = _ensure_precision(base, file, precision, matrix, progress, wish.embedding)
        source = _describe_source(base)
        if kept is not None and kept.file_type == precision:
            source = f"{precision}, taken as it is but for the embedding, which is now {wish.embedding}"
    file = request.out / f"{part}.gguf"
    _place(made, file, linked=made.parent == work)
    return [Artifact(part, file.name, census(file, precision, source, facts, rounding))]


def quantized_precision(checkpoint: Checkpoint) -> str:
    """The precision of a .gguf that is quantized already; "" for other weights, and types without a name."""
    header = gguf.read(_file(checkpoint)) if _is_gguf(checkpoint) else None
    if header is None or not any(tensor.type in _QUANTIZED for tensor in header.tensors):
        return ""
    return header.file_type or ""


def size(checkpoint: Checkpoint) -> int:
    """Bytes of the .gguf of a checkpoint, all its shards; 0 for other weights."""
    if not _is_gguf(checkpoint):
        return 0
    names = [name for name in checkpoint.files if name.endswith(".gguf")]
    whole = checkpoint.path.is_file()
    return sum(path.stat().st_size for path in ([checkpoint.path] if whole else (checkpoint.path / n for n in names)))


def reference(model: Model, checkpoint: Checkpoint, work: Path, progress: Progress) -> dict[str, LlamaRunner]:
    """See `edgekit.exporters.gguf.GgufExporter.reference`."""
    part = _part(model)
    wanted = next(item for item in model.network.parts if item.name == part).settings.get("reference", "f16")
    work.mkdir(parents=True, exist_ok=True)
    file = _base(checkpoint, work, progress)
    header = gguf.read(file)
    if wanted == "f16" and any(tensor.type in _QUANTIZED for tensor in header.tensors):
        file = _ensure_precision(file, work / "f16.gguf", "f16", None, progress)
    return {part: LlamaRunner(file, usable_processors())}


def _part(model: Model) -> str:
    if len(model.network.parts) != 1:
        raise Unsupported(
            f"a .gguf holds a whole language model; {model.name} has {len(model.network.parts)} parts.",
            hint="Choose another --runtime.",
        )
    return model.network.parts[0].name


def _is_gguf(checkpoint: Checkpoint) -> bool:
    return checkpoint.format == "gguf"


def _file(checkpoint: Checkpoint) -> Path:
    """The .gguf of a checkpoint in that format; the first of its shards."""
    if checkpoint.path.is_file():
        return checkpoint.path
    return checkpoint.path / min(name for name in checkpoint.files if name.endswith(".gguf"))


def _base(checkpoint: Checkpoint, work: Path, progress: Progress) -> Path:
    """The .gguf to start from: the user's, or the Hugging Face folder converted to 16 bits."""
    if _is_gguf(checkpoint):
        return _file(checkpoint)
    if checkpoint.format != "safetensors":
        raise Unsupported(
            f"the gguf exporter cannot read weights in the format {checkpoint.format}.",
            hint="Give a .gguf, or a Hugging Face folder with safetensors.",
        )
    converted = work / "converted.gguf"
    if not converted.is_file():
        convert(checkpoint.path, converted, progress)
    return converted


def _ensure_precision(
    base: Path,
    file: Path,
    precision: str,
    matrix: Mapping[str, NDArray[np.float32]] | None,
    progress: Progress,
    embedding: str = "",
) -> Path:
    """`base` in `precision`: itself, what an earlier recipe of this export left in `work`, or quantized now."""
    if gguf.read(base).file_type == precision and gguf.shard_of(base) is None and not embedding:
        return base
    if not file.is_file():
        progress(f"quantizing to {precision}", 0, 0)
        quantize(base, file, precision, matrix, embedding)
    return file


def _join_shards(base: Path, work: Path) -> Path:
    """The user's .gguf, its shards joined."""
    if gguf.shard_of(base) is None:
        return base
    joined = work / "joined.gguf"
    if not joined.is_file():
        quantize(base, joined, None)
    return joined


def _matrix(
    base: Path, texts: Sequence[Any], chunks: int, precision: str, work: Path, progress: Progress
) -> tuple[dict[str, NDArray[np.float32]] | None, dict[str, int] | None]:
    """The importance matrix and what it was made of; neither where there is no calibration text.

    Raises:
        BadInput: there is no text, and the precision needs it.
    """
    if not texts:
        if precision in _NEEDY:
            raise BadInput(
                f"{precision} ({nominal(precision)} and smaller) is useless without an importance matrix.",
                hint="Give text with --calibration: a folder of .txt files such as the model will read.",
            )
        return None, None
    file = work / f"importance-{chunks}.npz"
    if not file.is_file():
        matrix, read = importance.importance(base, texts, usable_processors(), chunks, progress)
        importance.write(file, matrix, read)
    matrix, read = importance.read(file)
    return matrix, {"chunks": read, "tokens": read * importance.CHUNK}


def _round_by_inputs(
    base: Path, texts: Sequence[Any], wish: Wish, work: Path, progress: Progress
) -> tuple[Path, Rounding]:
    """`base` with matrices that are rounded by their inputs on `texts`, and the facts about it."""
    whole, file = _join_shards(base, work), work / f"{wish.precision}-by-inputs.gguf"
    if any(tensor.type in _QUANTIZED for tensor in gguf.read(whole).tensors):
        whole = _ensure_precision(whole, work / "f16.gguf", "f16", None, progress)
    note = file.with_suffix(".json")
    if not (file.is_file() and note.is_file()):
        threads = usable_processors()
        matrices = [tensor for tensor in gguf.read(whole).tensors if len(tensor.shape) == 2]
        folder = work / f"hessians-{wish.chunks}"
        hessians = inputs.record(whole, matrices, texts, threads, wish.chunks, folder, progress)
        facts = round_file(whole, file, wish.precision, hessians, texts, threads, progress)
        note.write_text(json.dumps(facts), encoding="utf-8")
    return file, json.loads(note.read_text(encoding="utf-8"))


def _describe_source(base: Path) -> str:
    """What the artefact was made of, for its census."""
    header = gguf.read(base)
    if any(tensor.type in _QUANTIZED for tensor in header.tensors):
        kinds = ", ".join(kind for kind in gguf.census(header).bytes if kind in _QUANTIZED)
        return f"{header.file_type or kinds}, re-quantized: its loss is in here too"
    return header.file_type or next(iter(gguf.census(header).bytes))


def _place(made: Path, file: Path, linked: bool) -> None:
    """Put a finished file at its name in the bundle, whole or not at all.

    Files made in `work` are linked; the user's own and the cache's are copied, so that a bundle shares none with
    them.
    """
    fresh = file.with_name(file.name + ".partial")
    fresh.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not (linked and _link(made, fresh)):
            shutil.copyfile(made, fresh)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _link(made: Path, fresh: Path) -> bool:
    try:
        fresh.hardlink_to(made)
    except OSError:  # another file system, or no links
        return False
    return True
