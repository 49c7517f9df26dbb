"""Types of importing: an importer turns a source that edgekit does not declare into a `Model`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.core.model import Model
from edgekit.core.values import Progress, TensorSpec


@dataclass(frozen=True)
class ImportOptions:
    """What the user states about a source, beside its address.

    Attributes:
        task: name of the task; "" leaves it to the importer, which raises Unsupported where several fit.
        axes: dynamic axis -> its least and largest size (``--dynamic "tokens=1..256"``).
        trust: run the source's own code (``--trust-code``).
        metric: ``FILE.py:NAME`` of the user's metric, "" for the task's.
        offline: use only cached files.
    """

    task: str = ""
    axes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    trust: bool = False
    metric: str = ""
    offline: bool = False


@dataclass(frozen=True)
class Inspection:
    """The description of a source, read without its weights.

    Attributes:
        kind: the importer's name. architecture: the network's own name ("BertModel"), or what is known of it.
        tasks: names of the tasks that fit. inputs, outputs: tensors; a size is a number or the name of a dynamic axis.
        operators: operator -> count; empty if they are not known before the graph is traced.
        parameters: number of weights; None: not known.
        licence: SPDX identifier or the source's own words; "" if none is stated.
        notes: further facts, a sentence each.
    """

    source: str
    kind: str
    architecture: str
    tasks: tuple[str, ...]
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    operators: Mapping[str, int] = field(default_factory=dict)
    parameters: int | None = None
    licence: str = ""
    notes: tuple[str, ...] = ()


class Importer(ABC):
    """A kind of source. A file or package in `toolkit/importers/` declares it as ``IMPORTER``.

    Attributes:
        name: registry name. form: the form of its sources, for help texts: ``"hf://ORG/MODEL"``.
        extra: the extra of edgekit that installs its dependencies.
        distributions: those whose versions decide what network a source becomes.
    """

    name: str
    form: str
    extra: str
    distributions: tuple[str, ...] = ()

    @abstractmethod
    def accepts(self, source: str) -> bool:
        """Whether `source` is of this kind, by its text and by what lies on the disk; opens nothing large."""

    @abstractmethod
    def inspect(self, source: str, options: ImportOptions, progress: Progress) -> Inspection:
        """Describe `source` without its weights.

        Raises:
            BadInput: it is damaged, hostile or of another form. Unsupported: no task fits, or several do and none
            is chosen. FetchFailed: it cannot be reached.
        """

    @abstractmethod
    def model(self, source: str, options: ImportOptions, progress: Progress) -> Model:
        """The declaration of `source`: parts, task and costs, before any download of weights.

        Its `Weights.hub` is the address or the path of the weights, and its `Part.build` makes the reference from
        them. Loads nothing heavy if the same source was declared before (the reuse of a bundle takes under 3 s). Code
        of the user's or of a repository runs each time, in a process of its own.

        Raises:
            As `inspect`; MissingExtra.
        """
