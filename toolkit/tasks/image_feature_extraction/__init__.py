"""Image feature extraction: from a picture to a vector of length 1; similar pictures have similar directions."""

from __future__ import annotations

from edgekit.core import Task
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.image_feature_extraction.views import Views, samples

TASK = Task(
    "image-feature-extraction",
    "picture",
    "answers",
    lambda folder, labels: samples(folder),
    Views,
    golden="data/golden/espresso.png",
    evidence=PICTURES,
    agreement=of_vectors(cosine=0.97, ranks=0.97),
)
