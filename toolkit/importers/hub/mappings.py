"""transformers' own tables, read as text: `inspect` must answer before transformers and torch could be imported."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import MissingExtra, Unsupported, install_command

#: Task -> transformers' tables (`models/auto/modeling_auto.py`) of the classes that are made for it.
_TABLES = {
    "image-classification": ("MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",),
    "text-classification": ("MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",),
    "fill-mask": ("MODEL_FOR_MASKED_LM_MAPPING_NAMES",),
    "audio-classification": ("MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES",),
    "automatic-speech-recognition": ("MODEL_FOR_CTC_MAPPING_NAMES",),
    "image-feature-extraction": ("MODEL_FOR_IMAGE_MAPPING_NAMES",),
    "feature-extraction": ("MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES",),
}
#: Classes that no table of transformers names for these tasks.
_ALSO = {
    "image-feature-extraction": (
        "CLIPVisionModelWithProjection", "CLIPVisionModel", "CLIPModel", "SiglipModel", "SiglipVisionModel",
        "Siglip2Model", "ChineseCLIPModel",
    ),
    "feature-extraction": (
        "CLIPTextModelWithProjection", "CLIPModel", "SiglipModel", "SiglipTextModel", "ModernBertModel", "MPNetModel",
        "XLMRobertaModel", "CamembertModel", "NomicBertModel", "EuroBertModel",
    ),
}  # fmt: skip
#: T5's whole network has an encoder that feature extraction may take.
_ENCODERS = {"T5ForConditionalGeneration": "T5EncoderModel", "MT5ForConditionalGeneration": "MT5EncoderModel"}


def transformers_version() -> str:
    """The installed version. Raises MissingExtra if there is none."""
    try:
        return importlib.metadata.version("transformers")
    except importlib.metadata.PackageNotFoundError as exc:
        raise MissingExtra(
            "reading a Hugging Face model needs the Python package 'transformers', which is not installed.",
            hint=f"Install it with: {install_command('hub')}",
        ) from exc


def architecture_of(config: Mapping[str, object]) -> str:
    """The class that a config names ("BertModel"); of a config without one, the base class of its ``model_type``.

    Raises:
        Unsupported: transformers does not know the ``model_type``, or the config states neither.
    """
    kind, named = config.get("model_type"), config.get("architectures")
    known = _table("auto_mappings.py", "CONFIG_MAPPING_NAMES")
    if not isinstance(kind, str) or not kind:
        raise Unsupported(
            "config.json names no model_type, so it is not of a model that transformers can build.",
            hint="A network in a file of Python comes in as it is: edgekit export net.py:build",
        )
    if kind not in known:
        raise Unsupported(
            f"transformers {transformers_version()} knows no model_type {kind!r}.",
            hint="Upgrade transformers, or bring the network in a file of Python: edgekit export net.py:build",
        )
    if isinstance(named, list) and named and isinstance(named[0], str):
        return named[0]
    base = _table("modeling_auto.py", "MODEL_MAPPING_NAMES").get(kind)
    if base is None:
        raise Unsupported(f"config.json names no architecture, and its model_type {kind!r} has no base class.")
    return base[0]


def tasks_of(architecture: str) -> tuple[str, ...]:
    """The tasks that a class of transformers fits, without `tensors`, which takes every class."""
    tasks = [
        task
        for task, tables in _TABLES.items()
        if any(architecture in names for table in tables for names in _table("modeling_auto.py", table).values())
        or architecture in _ALSO.get(task, ())
    ]
    if "audio-classification" in tasks:  # transformers lists Wav2Vec2's among the classifiers of sequences, too
        tasks = [task for task in tasks if task != "text-classification"]
    if "feature-extraction" not in tasks and architecture in _ENCODERS:
        tasks.append("feature-extraction")
    return tuple(tasks)


def base_of(kind: str, task: str) -> str | None:
    """The class without a head that extracts features for `task` from a model_type; None if there is none."""
    table = {
        "feature-extraction": "MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES",
        "image-feature-extraction": "MODEL_FOR_IMAGE_MAPPING_NAMES",
    }.get(task)
    if table is None:
        return None
    base = _table("modeling_auto.py", "MODEL_MAPPING_NAMES").get(kind, ("",))[0]
    listed = _table("modeling_auto.py", table).get(kind)
    return listed[0] if listed else (base if base in _ALSO[task] else None)


def positions_of(config: Mapping[str, object]) -> int | None:
    """The most tokens that have a position; None: any number.

    RoBERTa and its kin count positions from behind the padding token's. Their code says so, and which token that is.
    """
    most = config.get("max_position_embeddings")
    if not isinstance(most, int) or most <= 0:
        return None
    kind = str(config.get("model_type")).replace("-", "_")
    code = "".join(file.read_text("utf-8") for file in (_folder() / "models").glob(f"*/modeling_{kind}.py"))
    if "create_position_ids_from_input_ids" not in code:
        return most
    fixed = re.search(r"self\.padding_idx = (\d+)", code)
    return most - (int(fixed[1]) if fixed else int(str(config.get("pad_token_id") or 0))) - 1


def _folder() -> Path:
    """Where transformers is installed."""
    transformers_version()
    spec = importlib.util.find_spec("transformers")
    return Path(str(spec.origin if spec else "")).parent


@functools.cache
def _table(file: str, name: str) -> Mapping[str, tuple[str, ...]]:
    """A table of `models/auto/FILE`: model_type -> the classes that it names."""
    path = _folder() / "models" / "auto" / file
    table: dict[str, tuple[str, ...]] = {}
    for node in _assignments(path).get(name, ast.List(elts=[])).elts:
        if not isinstance(node, ast.Tuple) or len(node.elts) != 2:
            continue
        key, value = (ast.literal_eval(part) for part in node.elts)
        table[key] = (value,) if isinstance(value, str) else tuple(value)
    if not table:
        raise Unsupported(f"transformers {transformers_version()} has no table {name}; edgekit reads versions 5.0 on.")
    return table


@functools.cache
def _assignments(path: Path) -> Mapping[str, ast.List]:
    """Name -> the list of ``NAME = OrderedDict([...])`` of a file."""
    if not path.is_file():
        return {}
    lists: dict[str, ast.List] = {}
    for node in ast.parse(path.read_bytes()).body:
        target, value = (node.targets[0], node.value) if isinstance(node, ast.Assign) else (None, None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Call) and value.args:
            listed = value.args[0]
            if isinstance(listed, ast.List):
                lists[target.id] = listed
    return lists
