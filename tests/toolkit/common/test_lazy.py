"""Libraries that are loaded at their first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgekit.common.lazy import np


def test_nothing_is_loaded_before_it_is_used() -> None:
    code = (
        "import sys\nfrom edgekit.common.lazy import np, onnx, torch\n"
        "heavy = {'numpy', 'onnx', 'torch'}\nassert not heavy & sys.modules.keys()\n"
        "assert np.zeros(2).sum() == 0\nassert heavy & sys.modules.keys() == {'numpy'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_used_is_the_library_itself() -> None:
    import numpy

    assert np.ndarray is numpy.ndarray and np.random is numpy.random
    with pytest.raises(AttributeError, match="numpy"):
        np.nothing_of_this_name  # noqa: B018


def test_an_absent_library_raises_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match="numpy"):
        np.never_used_before  # noqa: B018
