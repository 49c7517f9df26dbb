"""`package`: a bundle as one file for transport. The forms for apps and firmware join here, one function each."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from edgekit.bundle import open_bundle
from edgekit.core import Bundle
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.manifest import NAME


def package(path: str | Path, form: str, *, out: str | Path | None = None) -> Path:
    """Write the bundle at `path` in `form`, whole or not at all; returns what was written.

    Args:
        form: a name of `FORMS`. out: where to; beside the bundle if None.

    Raises:
        Unsupported: no such form. BadInput: not a bundle, or the place is taken by something else.
    """
    if form not in FORMS:
        raise Unsupported(f"bundles cannot be packaged as {form!r} yet.", hint=f"Forms: {', '.join(sorted(FORMS))}.")
    bundle = open_bundle(Path(path))
    suffix, write = FORMS[form]
    place = Path(out) if out else bundle.path.absolute().with_name(bundle.path.absolute().name + suffix)
    if place.is_dir():
        raise BadInput(f"{place} is a folder.", hint="Choose another --out.")
    with boundary():
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.absolute().parent)
        os.close(handle)
        try:
            write(bundle, Path(temporary))
            Path(temporary).chmod(0o644)
            Path(temporary).replace(place)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return place


def _zip(bundle: Bundle, place: Path) -> None:
    """A zip whose entries are stored, not deflated: weights do not compress, and apps can map them where they lie."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted([NAME, *bundle.manifest.files]):
            archive.writestr(zipfile.ZipInfo(name), (bundle.path / name).read_bytes(), zipfile.ZIP_STORED)


#: Form -> suffix of the file, and what writes it.
FORMS: dict[str, tuple[str, Callable[[Bundle, Path], None]]] = {"zip": (".zip", _zip)}
