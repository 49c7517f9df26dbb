"""`build`: a part's reference, from a plan and a checkpoint."""

from __future__ import annotations

from typing import Any

from edgekit.core import Checkpoint
from edgekit.errors import need
from edgekit.importers.hub.plan import Plan


def build(plan: Plan, part: str, checkpoint: Checkpoint) -> Any:
    """The torch module of a part (of the fixed parts: their modules are the same).

    Raises:
        BadInput: the weights are not those of the plan. MissingExtra.
    """
    with need("hub", "Building a Hugging Face model"):
        import torch  # noqa: F401
        import transformers  # noqa: F401
    from edgekit.importers.hub.networks.loading import load_network
    from edgekit.importers.hub.networks.masks import choose_mask_form
    from edgekit.importers.hub.networks.modules import MODULES

    chosen = next(entry for entry in plan.parts if entry.name == part)
    network: Any = None if chosen.module == "filterbank" else load_network(plan, checkpoint)
    module = MODULES[chosen.module](network, chosen)
    if chosen.module != "text":
        return module
    return choose_mask_form(module, network.get_input_embeddings().num_embeddings, plan.facts["tokenizer"]["most"])
