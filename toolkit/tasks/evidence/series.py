"""Series of measurements, each cut at several moments: what comes after the cut is the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.common.lazy import NDArray, np
from edgekit.core import Evidence, Sample
from edgekit.tasks.evidence.stored import halves

#: Steps after a cut that are the truth.
HORIZON = 48
#: Cuts of co2 and of El Niño; of sunspots; of each column of the macroeconomic table.
_CUTS, _SUN, _MACRO = 8, 6, 2
_COLUMNS = ("realgdp", "cpi", "m1", "tbilrate", "unemp")


def _samples(folder: Path) -> Sequence[Sample]:
    from edgekit.tasks.time_series_forecasting.series import series_of

    files = {path.stem: path for half in halves("series") for path in half}
    made = [
        *_cuts("co2", series_of(files["co2"], "co2"), _CUTS, 520),
        *_cuts("elnino", _months(files["elnino"]), _CUTS, 240),
        *_cuts("sunspots", series_of(files["sunspots"], "SUNACTIVITY"), _SUN, 120),
    ]
    for column in _COLUMNS:
        made += _cuts(column, series_of(files["macrodata"], column), _MACRO, 100)
    return made


def _cuts(name: str, values: NDArray[np.float64], count: int, least: int) -> list[Sample]:
    """The series cut at `count` moments, evenly spaced, with `least` steps before the first."""
    last = len(values) - HORIZON
    at = [least + (last - least) * k // max(1, count - 1) for k in range(count)] if count > 1 else [last]
    return [
        Sample(values[:cut], values[cut : cut + HORIZON].tolist(), f"{name}-{k + 1:02d}", source=name)
        for k, cut in enumerate(at)
    ]


def _months(file: Path) -> NDArray[np.float64]:
    """A table with a row a year, the months in order, as one series."""
    table = np.loadtxt(file, np.float64, delimiter=",", skiprows=1)
    months: NDArray[np.float64] = table[:, 1:].ravel()
    return months


SERIES = Evidence(
    "series",
    "LicenseRef-public-domain",
    "32 cuts of eight series that statsmodels carries: carbon dioxide on Mauna Loa by week, the sea's temperature by "
    "month, sunspots by year, five quarterly numbers of the economy of the United States",
    _samples,
)
