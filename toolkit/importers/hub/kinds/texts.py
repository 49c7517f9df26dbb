"""Texts: tokens in, a vector, labels or tokens out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from edgekit.core import Axis, ImportOptions, TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.importers.hub.choosing import Choice
from edgekit.importers.hub.kinds.common import axes_of, first, labels_of
from edgekit.importers.hub.mappings import positions_of
from edgekit.importers.hub.plan import PartPlan, Plan
from edgekit.importers.hub.repository import Repository

#: Tokens of a call: at most, whatever the network could take; and where a format holds no dynamic axis.
_MOST, _FIXED = 512, 128
_AXIS = "tokens"
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}
#: Classes that give an embedding themselves, and the name of their output.
_OWN = {"CLIPTextModelWithProjection": "text_embeds", "SiglipTextModel": "pooler_output"}
_WITHOUT_POOLER = ("DistilBertModel", "T5EncoderModel", "ModernBertModel", "MT5EncoderModel")


class _Pooling(NamedTuple):
    """How the vectors of tokens become one: mode, whether it is made as long as 1, and the most tokens."""

    mode: str
    unit: bool
    most: int | None


def plan(repository: Repository, choice: Choice, options: ImportOptions) -> Plan:
    """See `edgekit.importers.hub.kinds`.

    Raises:
        Unsupported: no tokenizer.json, or modules of another form. BadInput: an axis that does not exist.
    """
    if not repository.has("tokenizer.json"):
        raise Unsupported(
            f"{repository.source} has no tokenizer.json, so texts cannot become its tokens on a device.",
            hint="AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) in transformers writes one.",
        )
    config, own = repository.config, _OWN.get(choice.built, "")
    tower = config.get("text_config") if own else None
    shape: Mapping[str, Any] = {**config, **tower} if isinstance(tower, Mapping) else config
    pooling = _pooling(repository) if choice.task == "feature-extraction" else _Pooling("", False, None)
    tokenizer = _tokenizer(repository, choice, _limit(repository, shape, pooling))
    most = min(tokenizer["most"], _MOST)
    axis = axes_of(options, {_AXIS: Axis(2, most, max(2, min(most, 32)))})[_AXIS]
    typed = choice.task == "text-classification" and _has_token_types(repository, shape)
    labels = labels_of(config) if choice.task == "text-classification" else ()

    def part(size: int | str) -> PartPlan:
        names = ("input_ids", "attention_mask", *(("token_type_ids",) if typed else ()))
        return PartPlan(
            name="network",
            module="text",
            inputs=tuple(TensorSpec(name, "int64", (1, size)) for name in names),
            outputs=(_output(choice, shape, labels, size),),
            axes={_AXIS: replace(axis, padded=dict.fromkeys(names, 0))} if isinstance(size, str) else {},
            settings={"task": choice.task, "pooling": pooling.mode, "unit": pooling.unit, "own": own},
        )

    fixed = min(axis.most, _FIXED)
    facts: dict[str, Any] = {"tokenizer": {**tokenizer, "most": axis.most}}
    if labels:
        facts |= {"labels": list(labels), "activation": _activation(config, labels)}
    notes = [f"up to {axis.most} tokens a call; {fixed} where a format holds no dynamic axis"]
    if pooling.mode:
        notes.append(f"a sentence is the {pooling.mode} over its tokens" + (", of length 1" if pooling.unit else ""))
    pools = choice.task != "feature-extraction" or pooling.mode != "mean" or choice.built in _OWN
    headless = not pools and choice.built not in _WITHOUT_POOLER
    return Plan(
        *choice,
        "text",
        parts=(part(_AXIS),),
        fixed=() if options.axes else (part(fixed),),
        spare=("pooler.",) if headless else (),
        labels=labels,
        facts=facts,
        assets=("tokenizer.json",),
        notes=tuple(notes),
    )


def _has_token_types(repository: Repository, shape: Mapping[str, Any]) -> bool:
    """Whether its tokenizer numbers the texts of a pair, and the network heeds it."""
    stated = repository.json("tokenizer_config.json") or {}
    kind = str(stated.get("tokenizer_class", ""))
    own = kind.startswith(("Bert", "Electra", "Albert", "MobileBert", "SqueezeBert", "RemBert", "ConvBert"))
    numbered = "token_type_ids" in stated["model_input_names"] if "model_input_names" in stated else own
    return numbered and int(shape.get("type_vocab_size") or 0) > 1


def _output(choice: Choice, shape: Mapping[str, Any], labels: tuple[str, ...], size: int | str) -> TensorSpec:
    if choice.task == "text-classification":
        return TensorSpec("logits", "float32", (1, len(labels)))
    if choice.task == "fill-mask":
        return TensorSpec("logits", "float32", (1, size, int(shape["vocab_size"])))
    names = ("projection_dim", "projection_size") if choice.built in _OWN else ()
    return TensorSpec("embedding", "float32", (1, first(shape, *names, "hidden_size", "dim", "d_model")))


def _activation(config: Mapping[str, Any], labels: tuple[str, ...]) -> str:
    if config.get("problem_type") == "multi_label_classification":
        return "sigmoid"
    return "none" if len(labels) == 1 or config.get("problem_type") == "regression" else "softmax"


def _pooling(repository: Repository) -> _Pooling:
    """What sentence-transformers' modules say. Raises Unsupported for modules of other kinds."""
    modules = repository.json("modules.json")
    if modules is None:
        return _Pooling("mean", False, None)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise BadInput(f"modules.json of {repository.source} is not a list of modules.")
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise Unsupported(
            f"{repository.source} consists of {', '.join(kinds)}; Transformer, Pooling and Normalize can be exported.",
            hint="Without the rest: --task tensors",
        )
    where = str(modules[1].get("path", ""))
    stated = repository.json("1_Pooling/config.json")
    if where != "1_Pooling" or not isinstance(stated, dict):
        raise BadInput(f"{repository.source} has no 1_Pooling/config.json, which its modules.json promises.")
    modes = [mode for name, mode in _POOLINGS.items() if stated.get(name)]
    if "pooling_mode" in stated:
        modes = [str(stated["pooling_mode"])]
    others = [
        name for name, on in stated.items() if name.startswith("pooling_mode_") and on is True and name not in _POOLINGS
    ]
    if len(modes) != 1 or others or modes[0] not in _POOLINGS.values():
        stated_modes = ", ".join((*modes, *others)) or "nothing"
        raise Unsupported(f"{repository.source} pools by {stated_modes}; mean, cls and max can be exported.")
    limits = repository.json("sentence_bert_config.json") or {}
    most = limits.get("max_seq_length")
    return _Pooling(modes[0], kinds[-1] == "Normalize", int(most) if most else None)


def _limit(repository: Repository, shape: Mapping[str, Any], pooling: _Pooling) -> int:
    """The most tokens that the network takes."""
    limits = [pooling.most] if pooling.most else []
    if positions := positions_of(shape):
        limits.append(positions)
    stated = (repository.json("tokenizer_config.json") or {}).get("model_max_length")
    if isinstance(stated, int) and 0 < stated < 1 << 20:
        limits.append(stated)
    return min(limits, default=_MOST)


def _tokenizer(repository: Repository, choice: Choice, most: int) -> dict[str, Any]:
    """What the tokenizer's own file does not say."""
    stated = {**(repository.json("special_tokens_map.json") or {}), **(repository.json("tokenizer_config.json") or {})}

    def token(name: str) -> str:
        value = stated.get(name) or ""
        return str(value.get("content", "")) if isinstance(value, dict) else str(value)

    facts: dict[str, Any] = {
        "file": "tokenizer.json",
        "most": most,
        "pad": token("pad_token"),
        "side": str(stated.get("padding_side") or "right"),
    }
    if choice.built == "SiglipTextModel":  # it was trained on rows of full length, without a mask
        facts["whole"] = True
    return {**facts, "mask": token("mask_token")} if choice.task == "fill-mask" else facts
