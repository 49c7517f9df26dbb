"""Pictures: uint8 pixels in, labels or a vector out. Scaling and normalisation are in the graph."""

from __future__ import annotations

from edgekit.core import Facts, ImportOptions, Json, TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.importers.hub.choosing import Choice
from edgekit.importers.hub.kinds.common import axes_of, first, labels_of, preprocessing_of, side_of
from edgekit.importers.hub.plan import PartPlan, Plan
from edgekit.importers.hub.repository import Repository

#: Classes whose embedding has a name of its own.
_OWN = {"CLIPVisionModelWithProjection": "image_embeds"}
_MOST = 4096


def plan(repository: Repository, choice: Choice, options: ImportOptions) -> Plan:
    """See `edgekit.importers.hub.kinds`; the rule of resizing and the normalisation come with
    `edgekit.importers.hub.measuring.preprocessing`.

    Raises:
        Unsupported: it does not state how pictures become its input. BadInput: an axis that does not exist.
    """
    axes_of(options, {})
    preprocessing_of(repository, "picture")
    height, width = sides(repository)
    labels = labels_of(repository.config) if choice.task == "image-classification" else ()
    tower = repository.config.get("vision_config")
    shape: Facts = {**repository.config, **tower} if isinstance(tower, dict) else repository.config
    if labels:
        output = TensorSpec("logits", "float32", (1, len(labels)))
    else:
        names = ("projection_dim",) if choice.built in _OWN else ()
        output = TensorSpec("embedding", "float32", (1, first(shape, *names, "hidden_size")))
    facts: dict[str, Json] = {"height": height, "width": width, "channels": "RGB"}
    if labels:
        facts |= {"labels": list(labels), "activation": "softmax"}
    part = PartPlan(
        name="network",
        module="picture",
        inputs=(TensorSpec("pixels", "uint8", (1, height, width, 3)),),
        outputs=(output,),
        settings={"own": _OWN.get(choice.built, ""), "task": choice.task},
    )
    return Plan(*choice, "picture", (part,), labels=labels, facts=facts)


def sides(repository: Repository) -> tuple[int, int]:
    """Height and width of the network's pictures. Raises BadInput if they make no sense, Unsupported if not stated."""
    stated = repository.json("preprocessor_config.json") or {}
    tower = repository.config.get("vision_config")
    own = (tower if isinstance(tower, dict) else repository.config).get("image_size")
    cropped = side_of(stated.get("crop_size")) if stated.get("do_center_crop", True) else None
    size = cropped or side_of(stated.get("size")) or side_of(own)
    if size is None:
        raise Unsupported(f"{repository.source} does not state the size of its pictures.")
    if not all(8 <= side <= _MOST for side in size):
        raise BadInput(f"{repository.source} wants pictures of {size[0]} x {size[1]} pixels.")
    return size
