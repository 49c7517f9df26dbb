"""The nouns: what models, tasks, targets, recipes and results are, as plain frozen data."""

from edgekit.core.exporter import Artifact, Exporter
from edgekit.core.model import Axis, Evaluation, Model, Part, Work, serving
from edgekit.core.results import Fidelity, Fit, Measurement, Report, Speed, is_synthetic
from edgekit.core.running import Prediction, Predictor, Runner
from edgekit.core.target import Board, Device, Form, Target, Trial
from edgekit.core.values import (
    Bundle,
    Calls,
    Checkpoint,
    Feeds,
    Progress,
    Recipe,
    Sample,
    Source,
    SourceFile,
    TensorSpec,
)

__all__ = [
    "Artifact",
    "Axis",
    "Board",
    "Bundle",
    "Calls",
    "Checkpoint",
    "Device",
    "Evaluation",
    "Exporter",
    "Feeds",
    "Fidelity",
    "Fit",
    "Form",
    "Measurement",
    "Model",
    "Part",
    "Prediction",
    "Predictor",
    "Progress",
    "Recipe",
    "Report",
    "Runner",
    "Sample",
    "Source",
    "SourceFile",
    "Speed",
    "Target",
    "TensorSpec",
    "Trial",
    "Work",
    "is_synthetic",
    "serving",
]
