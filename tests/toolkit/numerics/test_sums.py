"""Sums that do not depend on how many processors a machine has."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import MissingExtra, install_command
from edgekit.numerics.sums import same_sums


def threads() -> set[int]:
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_products_have_one_thread_inside() -> None:
    before = threads()
    with same_sums():
        assert threads() == {1}
    assert threads() == before


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(MissingExtra, match="threadpoolctl") as refused, same_sums():
        pass
    assert install_command("export") in refused.value.hint


@pytest.mark.real
def test_an_export_has_the_same_weights_with_one_thread_and_with_two(tmp_path: Path) -> None:
    """EfficientNet's int8 is rounded with the products of calibration inputs: their last bits decided."""
    files = []
    for count in ("1", "2"):
        out = tmp_path / count
        words = ["export", "efficientnet-lite0", "--precision", "int8", "--out", str(out)]
        command = [sys.executable, "-c", "from edgekit.cli.command import main; main()", *words]
        subprocess.run(command, env=os.environ | {"OPENBLAS_NUM_THREADS": count}, check=True)
        files.append(hashlib.sha256((out / "network.onnx").read_bytes()).hexdigest())
    assert files[0] == files[1]
