"""A class of transformers with the weights of a checkpoint; nothing is fetched, and no code of the checkpoint runs."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.core import Checkpoint, Facts
from edgekit.errors import BadInput, Unsupported, need
from edgekit.importers.hub.plan import Plan

#: Missing tensors that a message names.
_NAMED = 3
#: Layers of a network at most; the deepest transformers have some 130.
_LAYERS = 1000


def empty(plan: Plan, config: Facts) -> Any:
    """The network of `plan` on torch's meta device, in evaluation mode.

    Raises:
        Unsupported: transformers has no such class. BadInput: it refuses the settings. MissingExtra.
    """
    with need("hub", "Building a Hugging Face model"):
        import torch
    kind, settings = _class(plan, config)
    with quiet(), torch.device("meta"):
        try:
            return kind(settings, **plan.arguments).eval()
        except Exception as exc:  # any setting of a stranger's config can be refused anywhere
            raise _build_error(plan, exc) from exc


def load_network(plan: Plan, checkpoint: Checkpoint) -> Any:
    """The network of `plan` with the weights of `checkpoint`, in evaluation mode and float32.

    Raises:
        BadInput: tensors are missing, of another shape, or too many (they are named).
    """
    with need("hub", "Building a Hugging Face model"):
        import numpy as np
        import torch
    kind, settings = _class(plan, checkpoint.config)
    state = {name: torch.from_numpy(np.array(array)) for name, array in checkpoint.tensors.items()}
    with quiet():
        try:
            network, report = kind.from_pretrained(
                None,
                *(),
                config=settings,
                state_dict=state,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **plan.arguments,
            )
        except Exception as exc:
            raise _build_error(plan, exc) from exc
    _check(plan, report)
    return network.eval()


def _check(plan: Plan, report: Mapping[str, Any]) -> None:
    """Raise BadInput unless every tensor was used, and every one that is needed was there."""
    for what, names in (
        ("lack", report["missing_keys"]),
        ("have another shape for", [entry[0] for entry in report["mismatched_keys"]]),
    ):
        if names:
            raise BadInput(
                f"the weights {what} {_join_names(names)}, which {plan.built} needs.",
                hint="Fetch the model again, or look whether config.json belongs to these weights.",
            )
    tower = plan.built != plan.architecture
    unused = [
        name for name in report["unexpected_keys"] if not tower and not name.split(".", 1)[-1].startswith(plan.spare)
    ]
    unused = [name for name in unused if not (plan.spare and name.startswith(plan.spare))]
    if unused:
        raise BadInput(
            f"the weights hold {_join_names(unused)}, which {plan.built} has no use for: another network was meant.",
            hint="Look at architectures in config.json.",
        )


def _join_names(names: Any) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return ", ".join(ordered[:_NAMED]) + more


def _class(plan: Plan, config: Facts) -> tuple[Any, Any]:
    """The class to build, and its settings."""
    with need("hub", "Building a Hugging Face model"), quiet():
        import transformers
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    try:
        with quiet():
            kind = getattr(transformers, plan.built)
    except AttributeError as exc:
        raise Unsupported(
            f"transformers {transformers.__version__} has no class {plan.built!r}.",
            hint="Upgrade transformers, or bring the network in a file of Python: edgekit export net.py:build",
        ) from exc
    _check_layers(config)
    own = {name: value for name, value in config.items() if name not in ("auto_map", "dtype", "torch_dtype")}
    with quiet():
        try:
            settings = CONFIG_MAPPING[str(config["model_type"])].from_dict(own)
            wanted = kind.config_class
            for name in ("text_config", "vision_config"):
                part = getattr(settings, name, None)
                if not isinstance(settings, wanted) and isinstance(part, wanted):
                    if "projection_dim" in own:
                        part.projection_dim = settings.projection_dim
                    settings = part
            settings._attn_implementation = "eager"  # the one that every format can hold
            settings.return_dict = True
            settings.use_cache = False
        except Exception as exc:
            raise _build_error(plan, exc) from exc
    return kind, settings


def _check_layers(config: Facts) -> None:
    """Raise BadInput for a number of layers that would take minutes and gigabytes before any weight is looked at."""
    towers = [value for value in config.values() if isinstance(value, Mapping)]  # of text, of pictures
    for name, value in (stated for part in (config, *towers) for stated in part.items()):
        if isinstance(value, int) and name.endswith(("layer", "layers")) and value > _LAYERS:
            raise BadInput(
                f"config.json states {value} for {name}: more than {_LAYERS} layers are not built.",
                hint="Look whether config.json belongs to these weights.",
            )


def reason_of(exc: Exception) -> str:
    """The first line of an exception of transformers, with the second where the first ends in a colon."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()] or ["no reason"]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])[:300].removesuffix(".")


def _build_error(plan: Plan, exc: Exception) -> BadInput:
    return BadInput(
        f"transformers cannot build {plan.built} of this: {type(exc).__name__}: {reason_of(exc)}.",
        hint="Look at its config.json: transformers must build the model of it.",
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """transformers and what it imports report through loggers and warnings; what matters is raised."""
    from transformers.utils import logging as reports

    before, bars = logging.root.manager.disable, reports.is_progress_bar_enabled()
    logging.disable(logging.CRITICAL)
    reports.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        if bars:
            reports.enable_progress_bar()
