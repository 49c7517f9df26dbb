"""The types of models, tasks, targets, recipes and results, as plain frozen data."""

from edgekit.core.costs import Costs, Work
from edgekit.core.exporter import Artifact, Encoding, Exporter
from edgekit.core.facts import fact_of
from edgekit.core.family import Family, Member
from edgekit.core.importer import Importer, ImportOptions, Inspection
from edgekit.core.model import Axis, Evaluation, Identity, Model, Network, Part, Usage, Weights
from edgekit.core.placement import FLOAT_FORMS, Case, Lowering, Placement, Proof, share_of
from edgekit.core.results import Fidelity, Fit, Measurement, Report, Speed, is_synthetic
from edgekit.core.running import Heard, Prediction, Predictor, Runner, Stream
from edgekit.core.runtime import INTERFACE, Abilities, Constraint, Runtime
from edgekit.core.target import Board, Device, Form, Measured, Target, Trial
from edgekit.core.task import Agreement, Objection, Task
from edgekit.core.values import (
    Bundle,
    Calls,
    Checkpoint,
    Evidence,
    Facts,
    Feeds,
    Json,
    Progress,
    Recipe,
    Sample,
    Source,
    SourceFile,
    TensorSpec,
)

__all__ = ["FLOAT_FORMS", "INTERFACE", "Abilities", "Agreement", "Artifact", "Axis", "Board", "Bundle", "Calls"]
__all__ += ["Case", "Checkpoint", "Constraint", "Costs", "Device", "Encoding", "Evaluation", "Evidence", "Exporter"]
__all__ += ["Facts", "Family", "Feeds", "Fidelity", "Fit", "Form", "Heard", "Identity", "ImportOptions", "Importer"]
__all__ += ["Inspection", "Json", "Lowering", "Measured", "Measurement", "Member", "Model", "Network", "Objection"]
__all__ += ["Part", "Placement", "Prediction", "Predictor", "Progress", "Proof", "Recipe", "Report", "Runner"]
__all__ += ["Runtime", "Sample", "Source", "SourceFile", "Speed", "Stream", "Target", "Task", "TensorSpec", "Trial"]
__all__ += ["Usage", "Weights", "Work", "fact_of", "is_synthetic", "share_of"]
