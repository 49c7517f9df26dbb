"""How llama.cpp is built, on a project that is nothing: the real one takes minutes (make llama, make phone-llama)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import absent

from edgekit.errors import EdgekitError
from edgekit.llama import build


def test_an_installation_goes_on_with_what_another_one_built(tmp_path: Path) -> None:
    """CMake refuses a build folder that was made from another source folder, such as another environment's."""
    if shutil.which("cmake") is None or shutil.which("ninja") is None:
        absent("cmake or ninja is not here: make firmware-tools")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        project = "cmake_minimum_required(VERSION 3.18)\nproject(nothing NONE)\nadd_custom_target(nothing)\n"
        (tmp_path / name / "CMakeLists.txt").write_text(project)
        build.compile_library(tmp_path / name, tmp_path / "out", (), ("nothing",))
        (tmp_path / "out" / "object").touch()
    assert (tmp_path / "out" / "object").exists()
    (tmp_path / "other" / "CMakeLists.txt").write_text("message(FATAL_ERROR no)\n")
    with pytest.raises(EdgekitError, match=r"llama\.cpp could not be built") as caught:
        build.compile_library(tmp_path / "other", tmp_path / "out", (), ("nothing",))
    assert str(tmp_path / "build.log") in caught.value.hint
