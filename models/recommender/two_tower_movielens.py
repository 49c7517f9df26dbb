"""Two towers on MovieLens 100k: which of 1,682 films a person may like next, from the films that this person liked.

edgekit's own weights, trained by `make train` (training/two_tower_movielens.py) on ratings that are for research use:
the ratings are fetched, never shipped. The person's tower is the network; the items' vectors are a table beside it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.common.own import own_file, own_source
from edgekit.models.recommender.ratings import RATINGS, TITLES, samples
from edgekit.models.recommender.shapes import ITEMS, PARAMETERS, WIDTH, towers_work
from edgekit.numerics import weighing

_GOLDEN, _LICENCE = "recommender/liked.txt", "data/licences/movielens-licence.txt"
#: Bytes of fp32's outputs for the golden input, of its answers, and of hashes of what was judged.
_REFERENCE = 16_000
#: Layout of the C -> bytes of its firmware, measured.
_FLASH = {"plain": 115_440, "dsp": 115_104, "helium": 113_304}
_RAM = {"plain": 8_432, "dsp": 8_432, "helium": 8_432}


_TABLE = own_file(
    "two-tower-movielens.npy", "28430d0a2617544cb6779c2c4cd5d512ed57504b8774f85765e0fc753137cbcd", 161_600, "items.npy"
)
_SOURCE = own_source(
    own_file(
        "two-tower-movielens.safetensors",
        "15a15538077d56182bd75c03b45a8b606dc0e62dd3565fa3531ff91617a3c2f4",
        221_968,
        "two-tower.safetensors",
    ),
    _TABLE,
    TITLES,
    licence="LicenseRef-GroupLens",
)


def _build(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.recommender.network import person_tower

    return person_tower(checkpoint.tensors)


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    _build(checkpoint)  # refuses other weights
    return {
        "first": 1,
        "vectors": _TABLE.name,
        "titles": TITLES.name,
        "advice": [
            "The loop: 1 / sqrt(liked items) where an item is liked and else 0 goes into the network; its vector times "
            f"each row of {_TABLE.name} is an item's score; liked items are left out, the highest scores are the "
            "answer.",
            f"{TITLES.name} and the weights are for research: see licences/weights.txt.",
        ],
    }


_BESIDE = package_data.size(_GOLDEN, _LICENCE) + (_TABLE.size or 0) + (TITLES.size or 0) + _REFERENCE

_HISTORY = core.TensorSpec("history", "float32", (1, ITEMS))
_VECTOR = core.TensorSpec("vector", "float32", (1, WIDTH))
_MODEL = core.Model(
    identity=core.Identity(
        name="two-tower-movielens",
        family="recommender",
        licence="LicenseRef-GroupLens",
        licence_text=_LICENCE,
        note="edgekit's own, made by `make train`: to try recommenders on a device; films up to 1998, research use",
    ),
    weights=core.Weights(sources=(_SOURCE,), prepare=_prepare, assets=(_TABLE.name, TITLES.name)),
    network=core.Network(parts=(core.Part("network", (_HISTORY,), (_VECTOR,), {}, _build),), parameters=PARAMETERS),
    task=core.Usage(
        name="recommendation",
        golden=_GOLDEN,
        evaluation=core.Evaluation("recall@10", worst=0.1, drop=0.01, minimum=50),
        evidence=core.Evidence(
            "likes of MovieLens 100k",
            "LicenseRef-GroupLens",
            "persons whom no training saw, of the ratings that recbole 1.2.1 ships: fetched, for research use",
            lambda folder: samples(folder / RATINGS.files[0].name),
            sources=(RATINGS,),
        ),
    ),
    costs=weighing.costs(towers_work(), _BESIDE, 2 * (_TABLE.size or 0)),
)
_CHIP = weighing.on_chips(_MODEL, _FLASH, _RAM)
MODEL = replace(_MODEL, network=replace(_MODEL.network, variants={"integers": _CHIP}))
