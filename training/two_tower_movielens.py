"""Train two-tower-movielens on the ratings of MovieLens 100k, for research: see its licence. About a minute.

    python training/two_tower_movielens.py [--out FOLDER]

The ratings come from the package recbole, by edgekit's own cache. Four persons in five train; recall at 10 is of the
others (`edgekit.models.recommender.ratings`), by the weights as the files hold them, and beside it of the films that
most persons like.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from fashion import alone, batches, rate, stored, written
from numpy.typing import NDArray
from torch import Tensor

from edgekit.bench import metrics
from edgekit.core import Sample, Source
from edgekit.models.recommender.network import ItemTower, PersonTower, histories, person_tower
from edgekit.models.recommender.ratings import RATINGS, TITLES, is_held_out, kinds_of, likes, samples
from edgekit.models.recommender.shapes import ITEMS
from edgekit.sources import fetch

_EPOCHS, _BATCH, _RATE, _DECAY, _SEED = 200, 64, 3e-3, 0.3, 1
#: The share of a person's likes that the tower does not see, and learns to foretell.
_HIDDEN = 0.6


def table(persons: Sequence[Sequence[int]]) -> Tensor:
    """Likes as float32 [persons, `ITEMS`] of 0 and 1."""
    made = torch.zeros(len(persons), ITEMS)
    for row, items in zip(made, persons, strict=True):
        row[torch.tensor(items) - 1] = 1.0
    return made


def kinds(file: Path) -> Tensor:
    """Kinds of the items as float32 [`ITEMS`, kinds] of 0 and 1."""
    rows = kinds_of(file)
    names = sorted({kind for row in rows for kind in row})
    return torch.tensor([[float(name in row) for name in names] for row in rows])


def train(liked: Tensor, items: Tensor) -> tuple[PersonTower, Tensor]:
    """The person's tower, and the vectors that the items' tower makes."""
    person, item = PersonTower().train(), ItemTower(items)
    weights = [*person.parameters(), *item.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=_RATE, weight_decay=_DECAY)
    for share, at in batches(len(liked), _BATCH, _EPOCHS, _SEED):
        for group in optimizer.param_groups:
            group["lr"] = rate(share, _RATE)
        wanted = liked[at]
        seen = wanted * (torch.rand_like(wanted) > _HIDDEN)
        scores = person(histories(seen)) @ item().T
        # A film that was seen is never recommended, so that it is no wrong choice either.
        chances = scores.masked_fill(seen.bool(), -1e4).log_softmax(1)
        hidden = wanted - seen
        loss = -(hidden * chances).sum() / hidden.sum().clamp(min=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return person.eval(), item().detach()


def recall(scores: NDArray[np.float32], judged: Sequence[Sample]) -> float:
    """Recall at 10 of the samples' truths; what is known is never among the ten."""
    answers = []
    for row, sample in zip(scores, judged, strict=True):
        row[np.array(sample.input) - 1] = -np.inf
        answers.append({"items": [int(i) + 1 for i in np.argsort(-row, kind="stable")[:10]]})
    metric = metrics.find("recall@10")
    return metrics.aggregate(metric, metrics.score(metric, answers, [sample.truth for sample in judged]))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("build/train"))
    arguments = parser.parse_args()
    begun = time.monotonic()
    ratings = fetch([RATINGS])[0] / RATINGS.files[0].name
    titles = fetch([Source(RATINGS.uri, RATINGS.revision, RATINGS.licence, (TITLES,))])[0] / TITLES.name
    alone(_SEED)
    liked = table([items for person, items in likes(ratings).items() if not is_held_out(person)])
    person, vectors = train(liked, kinds(titles))
    tensors = written(stored(person), arguments.out / "two-tower-movielens.safetensors", begun)
    items = vectors.numpy().astype(np.float16)
    place = arguments.out / "two-tower-movielens.npy"
    np.save(place, items)
    print(f"{place}: {place.stat().st_size} bytes, sha256 {hashlib.sha256(place.read_bytes()).hexdigest()}")
    judged = samples(ratings)
    known = histories(table([sample.input for sample in judged]))
    with torch.inference_mode():
        scores = person_tower(tensors)(known).numpy() @ items.astype(np.float32).T
    popular = np.tile(liked.sum(0).numpy(), (len(judged), 1))
    print(
        f"two-tower-movielens: recall at 10 of {len(judged)} persons {recall(scores, judged):.2%}; "
        f"of the most popular films {recall(popular, judged):.2%}"
    )


if __name__ == "__main__":
    main()
