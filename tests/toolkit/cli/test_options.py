"""The options of `run`: which names there are, and what a flag says that a model has no use for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.core.options import check_names, truth
from edgekit.errors import BadInput, UnknownOption


@pytest.mark.parametrize(
    ("known", "hint"),
    [((), "There are none."), (("top",), "There is: top."), (("a", "b", "progress"), "There are: a, b.")],
)
def test_an_unknown_option_is_told_with_those_there_are(known: tuple[str, ...], hint: str) -> None:
    check_names(["progress", *known], known)
    with pytest.raises(UnknownOption, match="no option 'colour'") as caught:
        check_names(["colour", *known], known)
    assert caught.value.hint == hint and caught.value.name == "colour"


@pytest.mark.parametrize("value", ["maybe", "", 1, 0, None])
def test_what_is_neither_yes_nor_no(value: object) -> None:
    with pytest.raises(BadInput, match="loud is yes or no") as caught:
        truth("loud", value)
    assert "yes, on, true, no, off, false" in caught.value.hint


@pytest.mark.parametrize("name", ["progress", "stream", "cancel", "rate", "sample", "self"])
def test_what_programs_give_is_no_option(do: Any, bundle: Path, signal: str, name: str) -> None:
    code, out, err = do("run", bundle, signal, "-o", f"{name}=1")
    assert (code, out) == (2, "") and f"there is no option '{name}'" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--out", "x.npz"], "this model writes no file.\n  Leave --out out."),
        (["--words"], "this model gives no times of words.\n  Leave --words out."),
        (["--schema", "x.json"], "this model keeps to no schema.\n  Leave --schema out."),
        (["--no-vad"], "this model looks for no speech.\n  Leave --no-vad out."),
        (["-o", "out=x.npz"], "there is no option 'out'.\n  There is: loud."),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_flag_that_a_model_has_no_use_for(do: Any, bundle: Path, signal: str, flags: list[str], why: str) -> None:
    code, _, err = do("run", bundle, signal, *flags)
    assert code == 2 and why in err
