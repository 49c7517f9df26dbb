"""two-tower-movielens: who is held out, what a row of ratings is, and films that go together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import edgekit
from edgekit.core import Model
from edgekit.errors import BadInput
from edgekit.models.recommender.network import ItemTower, PersonTower, histories, person_tower
from edgekit.models.recommender.ratings import is_held_out, kinds_of, likes, samples
from edgekit.models.recommender.shapes import ITEMS, PARAMETERS, WIDTH
from edgekit.registry import find

HEADER = "user_id:token\titem_id:token\trating:float\ttimestamp:float"


def table(tmp_path: Path, *rows: tuple[int, int, float, int]) -> Path:
    file = tmp_path / "ml-100k.inter"
    file.write_text("\n".join([HEADER, *("\t".join(map(str, row)) for row in rows)]), "utf-8")
    return file


def test_likes_are_four_stars_in_order_of_time(tmp_path: Path) -> None:
    file = table(tmp_path, (7, 3, 4, 30), (7, 9, 5, 10), (7, 4, 3, 20), (6, 1, 5, 1))
    assert likes(file) == {6: [1], 7: [9, 3]}


def test_the_last_fifth_of_a_held_out_person_is_to_be_foretold(tmp_path: Path) -> None:
    rows = [(person, item, 5.0, item) for person in (5, 6) for item in range(1, 11)]
    (sample,) = samples(table(tmp_path, *rows, *[(10, item, 5.0, item) for item in range(1, 10)]))
    assert (sample.input, sample.truth, sample.name) == (list(range(1, 9)), [9, 10], "person-005")
    assert is_held_out(5) and not is_held_out(6)


@pytest.mark.parametrize("row", ["1\t2\t3", "1\t2\tgood\t4", f"1\t{ITEMS + 1}\t4\t4", "1\t0\t4\t4"])
def test_a_row_of_another_form_is_named(row: str, tmp_path: Path) -> None:
    file = tmp_path / "ml-100k.inter"
    file.write_text(f"{HEADER}\n{row}\n", "utf-8")
    with pytest.raises(BadInput, match="line 2"):
        likes(file)
    file.write_text(row, "utf-8")
    with pytest.raises(BadInput, match="no table of ratings"):
        likes(file)
    with pytest.raises(BadInput, match="no table of the 1682 films"):
        kinds_of(file)


def test_towers() -> None:
    torch.manual_seed(0)
    person, item = PersonTower().eval(), ItemTower(torch.eye(ITEMS, 20))
    assert sum(tensor.numel() for tensor in person.state_dict().values()) == PARAMETERS
    rows = histories(torch.tensor([[1.0] * 4 + [0.0] * (ITEMS - 4), [0.0] * ITEMS]))
    assert rows[0, :4].tolist() == [0.5] * 4 and not rows[1].any()
    assert (person(rows) @ item().T).shape == (2, ITEMS) and item().shape == (ITEMS, WIDTH)
    with pytest.raises(BadInput, match="not two-tower-movielens'"):
        person_tower({"first.weight": np.zeros((2, 2))})


@pytest.mark.real
def test_who_likes_space_operas_gets_more_of_them(tmp_path: Path) -> None:
    bundle = edgekit.export("two-tower-movielens", "laptop", out=tmp_path / "b")
    assert bundle.manifest.evidence.agreement.verdict == "pass"
    answer = edgekit.load(bundle.path).predict("50, 172")  # Star Wars, The Empire Strikes Back
    titles = [entry["title"] for entry in answer.details["items"]]
    assert "Return of the Jedi (1983)" in titles and "Star Wars (1977)" not in titles
    assert (bundle.path / "items.npy").stat().st_size < 400_000
    model: Model = find("models", "two-tower-movielens")
    assert {file.name for file in bundle.path.iterdir()} >= set(model.weights.assets)
