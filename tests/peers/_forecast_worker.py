"""AutoETS and AutoARIMA of statsforecast, asked over pipes, in an environment of its own (forecasts-requirements.txt).

Each line of the input is JSON: ``{"values": [...], "season": 12, "horizon": 48, "method": "ets"}``. Each answer is a
list of rows, one a step, of the quantiles 0.1 to 0.9. Ends with the input.
"""

from __future__ import annotations

import json
import os
import sys
import warnings

import numpy as np
from statsforecast.models import MSTL, AutoARIMA, AutoETS

#: Central intervals whose ends, with the mean between, are the nine quantiles.
_INTERVALS = [80, 60, 40, 20]
#: Longest season of AutoETS; a longer one is taken away by STL first, as the package advises.
_LONGEST = 24


def model(method: str, season: int) -> object:
    """The forecaster of a series with so many steps a season."""
    if season > _LONGEST:
        trend = AutoETS(model="ZZN") if method == "ets" else AutoARIMA(seasonal=False)
        return MSTL(season_length=season, trend_forecaster=trend)
    return AutoETS(season_length=season) if method == "ets" else AutoARIMA(season_length=season)


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        asked = json.loads(line)
        values = np.array(asked["values"], np.float64)
        made = model(asked["method"], asked["season"]).forecast(y=values, h=asked["horizon"], level=_INTERVALS)
        low = [made[f"lo-{level}"] for level in _INTERVALS]
        high = [made[f"hi-{level}"] for level in reversed(_INTERVALS)]
        out.write(json.dumps(np.stack([*low, made["mean"], *high], 1).tolist()) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
