"""A Whisper by its settings: English or multilingual, distilled or fine-tuned, of 80 or 128 mels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Identity, Member, Model
from edgekit.errors import BadInput, Unsupported
from edgekit.models.whisper.family import declare_model
from edgekit.models.whisper.shapes import FRAMES, Shape

#: What the networks compute; a checkpoint that asks for another function is refused.
_FIXED = {"activation_function": "gelu", "scale_embedding": False, "max_source_positions": FRAMES // 2}
#: Largest sizes of a network that anybody has trained, with room to spare: beyond them a file is damaged or hostile.
_MOST = {"width": 8192, "heads": 128, "encoder_layers": 128, "decoder_layers": 128, "mels": 256, "vocabulary": 1 << 20}


def member(checkpoint: Member) -> Model:
    """The declaration of a checkpoint. Raises as `shape_of`."""
    identity = Identity(
        name=checkpoint.name,
        family="whisper",
        licence=checkpoint.licence or "not stated",
        licence_text=checkpoint.licence_text,
        importer=checkpoint.importer,
    )
    return declare_model(identity, shape_of(checkpoint.config, checkpoint.generation), hub=checkpoint.address)


def shape_of(config: Mapping[str, Any], generation: Mapping[str, Any]) -> Shape:
    """Sizes from config.json, and the heads of alignment from generation_config.json where it states them.

    Raises:
        BadInput: a size is missing, or is not one. Unsupported: a function that the network does not compute.
    """
    for name, wanted in _FIXED.items():
        if config.get(name, wanted) != wanted:
            raise Unsupported(
                f"this Whisper has {name} {config[name]!r}; edgekit's network computes {wanted!r}.",
                hint="As arrays in, arrays out it may work: --task tensors",
            )
    width, heads = _size(config, "d_model", "width"), _size(config, "decoder_attention_heads", "heads")
    feeds = [_size(config, f"{side}_ffn_dim", "width", 4) for side in ("encoder", "decoder")]
    if feeds != [4 * width, 4 * width] or _size(config, "encoder_attention_heads", "heads") != heads or width % heads:
        raise Unsupported(
            f"this Whisper has a width of {width}, {heads} heads and feed-forward sizes {feeds[0]} and {feeds[1]}; "
            "edgekit's network has as many heads in both halves, and feed-forward sizes of four widths."
        )
    layers = _size(config, "decoder_layers", "decoder_layers")
    return Shape(
        width=width,
        heads=heads,
        encoder_layers=_size(config, "encoder_layers", "encoder_layers"),
        decoder_layers=layers,
        mels=_size(config, "num_mel_bins", "mels"),
        vocabulary=_size(config, "vocab_size", "vocabulary"),
        text_context=_size(config, "max_target_positions", "width"),
        alignment=_heads(generation.get("alignment_heads"), layers, heads),
    )


def _size(config: Mapping[str, Any], name: str, kind: str, times: int = 1) -> int:
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= times * _MOST[kind]:
        raise BadInput(f"config.json states {name} {value!r}; a Whisper has a whole number there.")
    return value


def _heads(stated: Any, layers: int, heads: int) -> tuple[tuple[int, int], ...]:
    """(layer, head) pairs that a file states; () if it states none. Raises BadInput for pairs that are none."""
    if stated is None:
        return ()
    pairs = tuple(tuple(pair) for pair in stated) if isinstance(stated, Sequence) else ()
    for pair in pairs:
        plain = len(pair) == 2 and all(isinstance(number, int) for number in pair)
        if not plain or not (0 <= pair[0] < layers and 0 <= pair[1] < heads):
            raise BadInput(f"generation_config.json names the alignment head {pair}, which the network does not have.")
    if not pairs:
        raise BadInput("generation_config.json has alignment_heads that are no list of pairs.")
    return tuple((layer, head) for layer, head in pairs)
