"""That our tokens are transformers' tokens, on texts of several scripts; and how pictures become a network's input:
transformers' own processor is asked, and proven to be reproduced."""

from __future__ import annotations

from typing import Any

from edgekit.common.lazy import Image, NDArray, np
from edgekit.errors import BadInput, Unsupported
from edgekit.importers.hub.networks.loading import quiet, reason_of
from edgekit.importers.hub.plan import Plan
from edgekit.importers.hub.repository import Repository
from edgekit.tasks.common import pictures
from edgekit.tasks.common.tokens import Tokens

_TEXTS = (
    "The quick brown fox jumps over 13 lazy dogs.",
    "Grüße aus Köln, naïve café!",
    "  two  spaces\tand a tab\n",
    "日本語のテキスト и русский",
    "a" * 600,
    "word " * 600,
    "[unused] 😀 don't, it's $3.50",
)


def check_tokens(plan: Plan, repository: Repository) -> None:
    """Raise Unsupported where the tokens of tokenizer.json are not those of transformers' own tokenizer."""
    ours = Tokens(repository.folder, plan.facts)
    numbered = any(spec.name == "token_type_ids" for spec in plan.parts[0].inputs)
    most = plan.facts["tokenizer"]["most"]
    with quiet():
        from transformers import AutoTokenizer

        try:
            theirs = AutoTokenizer.from_pretrained(
                str(repository.folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as exc:
            raise BadInput(
                f"the tokenizer of {repository.source} is refused by transformers: {reason_of(exc)}.",
                hint="As arrays in, arrays out: --task tensors",
            ) from exc
        if plan.task == "text-classification" and ("token_type_ids" in theirs.model_input_names) < numbered:
            raise Unsupported(f"the tokenizer of {repository.source} does not number the texts of a pair as expected.")
        for text in _TEXTS:
            wanted = theirs(text, truncation=True, max_length=most)["input_ids"]
            if ours.ids(text) != list(wanted):
                raise Unsupported(
                    f"tokenizer.json of {repository.source} makes other tokens of {text[:40]!r} than transformers.",
                    hint="AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes it anew.",
                )


_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
#: Sizes of the pictures on which both are compared: wide, high, small.
_TRIED = ((301, 200), (190, 283), (96, 97))
#: Largest difference of a pixel, of 255, that counts as equal: float32 rounding.
_SAME = 1e-3


def normalisation(repository: Repository, height: int, width: int) -> tuple[dict[str, pictures.Resize], dict[str, Any]]:
    """The rule of resizing, as facts for apps; and settings of `networks.modules.Picture`.

    Raises:
        Unsupported: the processor does something else than resize, crop, reorder channels, scale and shift.
        BadInput: it cannot be built.
    """
    processor = _processor(repository)
    settings = _affine(processor, repository, height, width)
    rule = _rule(processor)
    scale, offset = (np.array(settings[name], np.float32) for name in ("scale", "offset"))
    random = np.random.default_rng(0)
    for wide, high in _TRIED:
        coarse = random.integers(0, 256, (high // 8 + 1, wide // 8 + 1, 3), dtype=np.uint8)
        picture = np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:high, :wide]
        wanted = _values(processor, repository, picture)
        image = Image.fromarray(picture)
        pixels = pictures.fit_image(image, rule, height, width)
        made = pixels[:, :, settings["order"]].astype(np.float32) * scale + offset
        if (
            wanted.shape[1:] != (height, width)
            or np.abs(made.transpose(2, 0, 1) - wanted).max() > _SAME * np.abs(scale).max()
        ):
            raise _not_reproduced(repository, processor, "its resizing is of another kind")
    return {"resize": rule}, settings


def _processor(repository: Repository) -> Any:
    with quiet():
        from transformers import AutoImageProcessor

        try:
            return AutoImageProcessor.from_pretrained(
                str(repository.folder), local_files_only=True, trust_remote_code=False, backend="pil"
            )
        except Exception as exc:
            reason = str(exc).strip().splitlines()[0] if str(exc).strip() else "no reason"
            raise BadInput(
                f"preprocessor_config.json of {repository.source} is refused by transformers: {reason[:300]}.",
                hint="As arrays in, arrays out: --task tensors",
            ) from exc


def _rule(processor: Any) -> pictures.Resize:
    """Resizing and cropping, in the form of `edgekit.tasks.common.pictures.fit_image`."""
    resample = getattr(processor, "resample", None)
    kind = "bilinear" if resample is None else _FILTERS[int(resample)]
    rule: pictures.Resize = {"filter": kind, "antialias": True}
    size = getattr(processor, "size", None)
    crop = bool(getattr(processor, "do_center_crop", False))
    if not getattr(processor, "do_resize", True) or size is None:
        return {**rule, "crop": "center, down"}
    share = getattr(processor, "crop_pct", None)
    if size.shortest_edge and share is not None:  # ConvNeXt's: small pictures are cut out of larger ones
        if size.shortest_edge >= 384:
            return {**rule, "size": [size.shortest_edge, size.shortest_edge]}
        return {**rule, "short_side": int(size.shortest_edge / share), "crop": "center, down"}
    if size.shortest_edge:
        return {**rule, "short_side": size.shortest_edge, "crop": "center, down"}
    rule["size"] = [size.height, size.width]
    return {**rule, "crop": "center, down"} if crop else rule


def _affine(processor: Any, repository: Repository, height: int, width: int) -> dict[str, Any]:
    """Scale and offset of every channel, and which channel of the picture it is.

    A picture of a single colour stays one however it is resized, so its colour shows what becomes of a value.
    """

    def colour(*channels: int) -> NDArray[np.float64]:
        plain = np.broadcast_to(np.array(channels, np.uint8), (height, width, 3))
        values = _values(processor, repository, np.ascontiguousarray(plain)).astype(np.float64)
        return values[:, values.shape[1] // 2, values.shape[2] // 2]

    black, white = colour(0, 0, 0), colour(255, 255, 255)
    scale = (white - black) / 255.0
    if black.shape != (3,) or not np.all(np.abs(scale) > 0):
        raise _not_reproduced(repository, processor, "it does not make three channels of a picture")
    levels = (colour(10, 100, 200) - black) / scale
    order = [int(np.abs(np.array([10, 100, 200]) - level).argmin()) for level in levels]
    if order not in ([0, 1, 2], [2, 1, 0]) or np.abs(levels - np.array([10, 100, 200])[order]).max() > 1e-2:
        raise _not_reproduced(repository, processor, "it does more with a pixel than scale and shift it")
    return {"scale": scale.tolist(), "offset": black.tolist(), "order": order}


def _values(processor: Any, repository: Repository, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The processor's own values of a picture: float32 [3, H, W]."""
    with quiet():
        try:
            made = processor(Image.fromarray(picture), return_tensors="np")["pixel_values"]
        except Exception as exc:
            raise _not_reproduced(repository, processor, f"it fails: {str(exc)[:200]}") from exc
    values: NDArray[np.float32] = np.asarray(made, np.float32)
    if values.ndim != 4 or values.shape[:2] != (1, 3):
        raise _not_reproduced(repository, processor, f"it makes an array {list(values.shape)} of a picture")
    first: NDArray[np.float32] = values[0]
    return first


def _not_reproduced(repository: Repository, processor: Any, why: str) -> Unsupported:
    return Unsupported(
        f"what {type(processor).__name__} of {repository.source} does to a picture cannot be done on a device: {why}.",
        hint="As arrays in, arrays out: --task tensors",
    )
