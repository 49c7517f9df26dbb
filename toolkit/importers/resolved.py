"""A source as a model: by its name in the registry, else by the importer that accepts it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.core import Importer, ImportOptions, Inspection, Model, Progress
from edgekit.errors import BadInput, UnknownName
from edgekit.registry import find, names


def model_of(source: str, options: ImportOptions | None = None, progress: Progress | None = None) -> Model:
    """The declaration of `source`: a model of the registry, or an importer's.

    Raises:
        UnknownName: neither a model's name nor a source that exists. BadInput: options that a declared model does not
        take. What `edgekit.core.Importer.model` raises.
    """
    options, importer = options or ImportOptions(), importer_of(source)
    if importer is not None:
        return override_metric(
            importer.model(source, options, progress or (lambda what, done, total: None)), options.metric
        )
    declared = find("models", source)
    if options.axes or options.trust or (options.task and options.task != declared.task.name):
        raise BadInput(
            f"{declared.name} is declared by edgekit: its task is {declared.task.name}, and its axes are fixed.",
            hint="--task, --dynamic and --trust-code go with your own models: a folder, an address or a file.",
        )
    return override_metric(declared, options.metric)


def override_metric(model: Model, metric: str) -> Model:
    """`model`, judged by the user's `metric` (``FILE.py:NAME``) unless it is "". Raises BadInput where it cannot be."""
    if not metric:
        return model
    from edgekit.importers.common.foreign.metric import evaluation_of

    if find("tasks", model.task.name).judge != "answers":
        raise BadInput(f"{model.name} is judged by probabilities; it takes no --metric.")
    evaluation = evaluation_of(metric)

    def replace_evaluation(declared: Model) -> Model:
        variants = {name: replace_evaluation(variant) for name, variant in declared.network.variants.items()}
        network = replace(declared.network, variants=variants)
        return replace(declared, network=network, task=replace(declared.task, evaluation=evaluation))

    return replace_evaluation(model)


def inspect(source: str, options: ImportOptions | None = None, progress: Progress | None = None) -> Inspection:
    """The description of `source`, without its weights. Raises as `model_of`."""
    importer = importer_of(source)
    if importer is not None:
        return importer.inspect(source, options or ImportOptions(), progress or (lambda what, done, total: None))
    model = model_of(source, options)
    parts, identity = model.network.parts, model.identity
    return Inspection(
        source=model.name,
        kind="declared by edgekit",
        architecture=f"{identity.family}, {len(parts)} part{'s' if len(parts) > 1 else ''}",
        tasks=(model.task.name,),
        inputs=tuple(spec for part in parts for spec in part.inputs),
        outputs=tuple(spec for part in parts for spec in part.outputs),
        parameters=model.network.parameters,
        licence=identity.licence,
        notes=tuple(f"weights: {source.uri} {source.revision}" for source in model.weights.sources),
    )


def importer_of(source: str) -> Importer | None:
    """The importer that accepts `source`; None for the name of a declared model.

    Raises:
        UnknownName: it looks like a path or an address, and there is nothing there.
    """
    importers = [find("importers", name) for name in names("importers")]
    if not source or source in names("models"):  # nothing at all is no folder, as `Path` has it
        return None
    for importer in importers:
        if importer.accepts(source):
            return importer
    if "/" in source or "\\" in source or "://" in source or Path(source).suffix in (".py", ".onnx", ".pt2", ".tflite"):
        forms = ", ".join(importer.form for importer in importers)
        raise UnknownName(
            f"there is no file, folder or address {source!r} that edgekit reads.", hint=f"It reads: {forms}."
        )
    return None
