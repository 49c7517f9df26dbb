"""Fracast-0 (Fracast contributors 2026, https://github.com/ztxtech/fracast-0): nine quantiles of a series' next 48
steps from its last 2,048, whatever it measures. 85,001 weights; no paper.

Non-goal: series that explain each other, and calendars; each series stands alone, and steps have no dates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.common.own import package_source
from edgekit.models.forecasting.shapes import BINS, CONTEXT, FEATURES, HORIZON, LEVELS, PERIODS, fracast_work
from edgekit.numerics import weighing

_GOLDEN, _LICENCE, _REFERENCE = "data/golden/golden-series.csv", "data/licences/fracast-licence.txt", 40_000
_SOURCE = package_source(
    "pypi://fracast@0.1.0/fracast/weights/model.safetensors",
    "0d678f123f3d1f91c5065cca2b5d40eccc469360afc2381b27290486011ded2c",
    344_412,
    "Apache-2.0",
    name="fracast.safetensors",
)


def _build(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.forecasting.network import network

    return network(checkpoint.tensors)


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    _build(checkpoint)  # refuses other weights
    return {
        "context": CONTEXT,
        "horizon": HORIZON,
        "levels": list(LEVELS),
        "observed": 8,
        "periods": {"most": PERIODS, "least": 2, "alpha": 0.05, "bins": BINS},
    }


_FEATURES = core.TensorSpec("features", "float32", (1, CONTEXT, FEATURES))
_FILL = core.TensorSpec("fill", "float32", (1, HORIZON))
_QUANTILES = core.TensorSpec("quantiles", "float32", (1, HORIZON, len(LEVELS)))
MODEL = core.Model(
    identity=core.Identity(name="fracast", family="forecasting", licence="Apache-2.0", licence_text=_LICENCE),
    weights=core.Weights(sources=(_SOURCE,), prepare=_prepare),
    network=core.Network(
        parts=(core.Part("network", (_FEATURES, _FILL), (_QUANTILES,), {}, _build),),
        parameters=85_001,
        # 170 kB in half precision: int8 would save 80 kB.
        preferred="fp16",
    ),
    task=core.Usage(
        name="time-series-forecasting",
        golden=_GOLDEN,
        evaluation=core.Evaluation("wql", worst=1.0, drop=0.005, minimum=20),
    ),
    costs=weighing.costs(fracast_work(), package_data.size(_GOLDEN, _LICENCE) + _REFERENCE),
)
