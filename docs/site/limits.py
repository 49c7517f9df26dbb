"""The limits of parity, measured: how far the parts of right bundles are from fp32, by runtime and precision.

    python docs/site/limits.py BUNDLES...

reads the bundles below these folders (`edgekit bench --models --work` leaves them), and writes the table
`edgekit.numerics.parity.MEASURED` again: the parts of each runtime and precision, the median and the largest error
of a part, and the limit. The limit is half above the largest error; nothing is held nearer than the order of sums
explains. Rows of other runtimes stay as they are.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.manifest import NAME
from edgekit.bundles.opened import makers
from edgekit.core import Recipe
from edgekit.numerics.parity import FURTHEST, LIMITS, part_precision

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "toolkit" / "numerics" / "limits.tsv"
#: What a limit leaves for networks that were not measured, and the least limit.
_ABOVE, _LEAST = 1.5, LIMITS["fp32"]
_HEAD = "runtime\tprecision\tparts\tmedian\tlargest\tlimit"


def errors_of(folder: Path) -> Iterator[tuple[tuple[str, str], float]]:
    """((runtime, precision), error) of every part of the bundle `folder` that was run."""
    bundle = open_bundle(folder, hashes=False)
    asked = bundle.manifest.recipe
    recipe = Recipe(asked.runtime, asked.precision, asked.options)
    network = makers(bundle).model.network
    for part in bundle.manifest.parts:
        if part.parity is not None:
            yield (asked.runtime, part_precision(recipe, network.part(part.name).quantize)), part.parity


def rows(folders: list[Path]) -> dict[tuple[str, str], str]:
    """(runtime, precision) -> its line of the table."""
    found = defaultdict[tuple[str, str], list[float]](list)
    for folder in folders:
        for key, error in errors_of(folder):
            found[key].append(error)
    return {
        key: f"{len(errors)}\t{median(errors):.2g}\t{max(errors):.2g}\t{_limit(max(errors)):.2g}"
        for key, errors in found.items()
    }


def _limit(largest: float) -> float:
    return min(FURTHEST, max(_LEAST, _ABOVE * largest))


def main(places: list[str]) -> None:
    kept = dict[tuple[str, str], str]()
    for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        runtime, precision, rest = line.split("\t", 2)
        kept[runtime, precision] = rest
    folders = sorted(file.parent for place in places for file in Path(place).rglob(NAME))
    kept |= rows(folders)
    lines = [_HEAD, *("\t".join((*key, rest)) for key, rest in sorted(kept.items()))]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
