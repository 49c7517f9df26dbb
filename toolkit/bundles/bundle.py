"""Bundles on disk: opening and checking them."""

from __future__ import annotations

import shlex
from pathlib import Path

from edgekit.bundles.manifest import LARGEST, NAME, File, Manifest, decode
from edgekit.common.files import hash_file
from edgekit.core import Bundle
from edgekit.errors import BadInput, boundary


def open_bundle(path: Path, *, hashes: bool = True) -> Bundle:
    """The bundle at `path`, its manifest read and every file checked.

    Args:
        hashes: compare contents too, not only names and sizes.

    Raises:
        BadInput: no bundle there, or a file is missing, additional, a link out of the folder, or changed.
    """
    path = Path(path)
    with boundary():
        file = path / NAME
        if not file.is_file() or file.is_symlink():
            raise BadInput(f"{path} is not a bundle: it has no {NAME}.", hint=_instead(path))
        if file.stat().st_size > LARGEST:
            raise BadInput(f"{file} is too large to be a manifest.")
        manifest = decode(file.read_bytes())
        _check_files(path, manifest, hashes)
    return Bundle(path, manifest)


def _instead(path: Path) -> str:
    """What to do about a path that is no bundle."""
    if path.name == NAME and path.is_file():
        return f"Name its folder: {path.parent}"
    if path.suffix == ".zip" and path.is_file():
        return f"Unpack it first: python -m zipfile -e {shlex.quote(str(path))} FOLDER"
    return "Make one with: edgekit export MODEL" if path.exists() else "There is nothing of that name; check the path."


def _check_files(path: Path, manifest: Manifest, hashes: bool) -> None:
    here = {p.relative_to(path).as_posix() for p in path.rglob("*") if not p.is_dir() or p.is_symlink()} - {NAME}
    again = "Export it again, or fetch it again from where it came."
    for name, facts in manifest.files.items():
        file = path / name  # `decode` saw that it stays inside
        if name not in here:
            raise BadInput(f"the bundle {path.name} lacks {name}.", hint=again)
        if file.is_symlink():
            raise BadInput(f"the bundle {path.name} has a link in place of {name}; it may point anywhere.", hint=again)
        if not file.is_file():
            raise BadInput(f"{name} in {path.name} is not a plain file.", hint=again)
        size = file.stat().st_size
        if size != facts.size:
            raise BadInput(f"{name} in {path.name} has {size} bytes, the manifest says {facts.size}.", hint=again)
        if hashes and hash_file(file) != facts.sha256:
            raise BadInput(f"{name} in {path.name} was changed: its sha256 does not match.", hint=again)
    extra = sorted(here - set(manifest.files))
    if extra:
        raise BadInput(
            f"the bundle {path.name} holds {extra[0]}, which its manifest does not name.",
            hint=f"Remove it: rm {shlex.quote(str(path / extra[0]))}",
        )
    for part in manifest.parts:
        if part.file not in manifest.files and not any(name.startswith(f"{part.file}/") for name in manifest.files):
            raise BadInput(f"the manifest of {path.name} has no hash for the part {part.name!r} ({part.file}).")


def inventory(folder: Path) -> dict[str, File]:
    """Hash and size of every file below `folder` except the manifest, sorted by name."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / NAME)
    return {p.relative_to(folder).as_posix(): File(sha256=hash_file(p), size=p.stat().st_size) for p in files}
