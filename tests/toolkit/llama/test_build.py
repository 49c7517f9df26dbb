"""How llama.cpp is built, on a project that is nothing: the real one takes minutes (make llama, make phone-llama)."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import pytest
from conftest import absent

from edgekit.errors import EdgekitError, FetchFailed
from edgekit.llama import build, library


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


@pytest.mark.parametrize("pinned", [False, True], ids=["another file", "the pinned file"])
def test_code_of_the_source_runs_only_after_its_hash_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: bool
) -> None:
    """pip asks a source package for its name by running its build backend."""
    ran, index = tmp_path / "ran", tmp_path / "index"
    index.mkdir()
    name = f"llama_cpp_python-{library.VERSION}"
    metadata = f"Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: {library.VERSION}\n"
    backend = f"""
import pathlib
pathlib.Path({str(ran)!r}).touch()
def prepare_metadata_for_build_wheel(folder, settings=None):
    place = pathlib.Path(folder) / "{name}.dist-info"
    place.mkdir()
    (place / "METADATA").write_text({metadata!r})
    (place / "WHEEL").write_text("Wheel-Version: 1.0")
    return place.name
"""
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    archive = index / f"{name}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for file, text in {"PKG-INFO": metadata, "pyproject.toml": project, "backend.py": backend}.items():
            entry = tarfile.TarInfo(f"{name}/{file}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    if pinned:
        monkeypatch.setattr(library, "SDIST", hashlib.sha256(archive.read_bytes()).hexdigest())
        assert (build.source() / "PKG-INFO").is_file()
    else:
        with pytest.raises(FetchFailed, match="is not the pinned file, of sha256 832db0699007"):
            build.source()
    assert ran.exists() == pinned
