"""The record of a folder that `package` wrote: hashes by which a later run recognises its own, unchanged files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from edgekit.common.documents import read_json
from edgekit.common.files import hash_file
from edgekit.errors import BadInput, boundary

#: Written last into every folder of `package`.
NAME = "edgekit-package.json"

#: A larger file is not a record.
_MOST = 16 * 2**20


def record(folder: Path, form: str) -> None:
    """Write the record of `folder`."""
    known = {"edgekit": "package", "form": form, "files": _hashes(folder)}
    (folder / NAME).write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def ours(out: Path, leftovers: tuple[str, ...] = ()) -> Path:
    """The real path of `out`, if it may be replaced: nothing there, an empty folder, or an earlier run's folder.

    Args:
        leftovers: top-level folders that are ignored.

    Raises:
        BadInput: something else is there, or files were changed, added or removed.
    """
    with boundary():
        out = Path(os.path.realpath(out))
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return out
        known = _read(out)
        if known is None:
            raise BadInput(
                f"{out} exists and was not written by `edgekit package`; it will not be replaced.",
                hint="Choose another --out.",
            )
        here = _hashes(out, leftovers)
        changed = sorted(name for name in known.keys() | here.keys() if known.get(name) != here.get(name))
    if changed:
        raise BadInput(
            f"{out} was changed after it was written ({_some(changed)}); it will not be replaced.",
            hint="Choose another --out, or move the folder away.",
        )
    return out


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _read(folder: Path) -> dict[str, str] | None:
    """name -> sha256 of the record in `folder`, None without a record."""
    file = folder / NAME
    if not folder.is_dir() or file.is_symlink() or not file.is_file() or file.stat().st_size > _MOST:
        return None
    try:
        known = read_json(file)
        return dict(known["files"]) if known["edgekit"] == "package" else None
    except (BadInput, ValueError, TypeError, LookupError):
        return None


def _hashes(folder: Path, leftovers: tuple[str, ...] = ()) -> dict[str, str]:
    """name -> sha256 of every file below `folder` but the record; a link is never followed and has no right hash."""
    hashes: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if str(name) == NAME or name.parts[0] in leftovers:
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            hashes[name.as_posix()] = ""
        elif path.is_file():
            hashes[name.as_posix()] = hash_file(path)
    return hashes
