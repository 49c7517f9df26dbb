"""`package`: a bundle as one file for transport. The forms for apps and firmware join here, one function each."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from edgekit._files import replacing
from edgekit.bundle import open_bundle
from edgekit.core import Bundle
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.manifest import NAME


def package(path: str | Path, form: str, *, out: str | Path | None = None) -> Path:
    """Write the bundle at `path` in `form`, whole or not at all; returns what was written.

    Args:
        form: a name of `FORMS`. out: where to; beside the bundle if None.

    Raises:
        Unsupported: no such form. BadInput: not a bundle, or the place is inside it or taken by something else.
    """
    if form not in FORMS:
        raise Unsupported(f"bundles cannot be packaged as {form!r} yet.", hint=f"Forms: {', '.join(sorted(FORMS))}.")
    bundle = open_bundle(Path(path))
    suffix, write = FORMS[form]
    folder = bundle.path.resolve()
    place = Path(out).expanduser() if out else folder.with_name(folder.name + suffix)
    if place.resolve().is_relative_to(folder):
        raise BadInput(
            f"{place} is inside the bundle, which would not be whole any more.", hint="Choose another --out."
        )
    with boundary(), replacing(place) as fresh:
        write(bundle, fresh)
    return place


def _zip(bundle: Bundle, place: Path) -> None:
    """A zip whose entries are stored, not deflated: weights do not compress, and apps can map them where they lie."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted([NAME, *bundle.manifest.files]):
            entry = zipfile.ZipInfo(name)  # of 1980, so that the same bundle gives the same bytes
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, (bundle.path / name).read_bytes(), zipfile.ZIP_STORED)


#: Form -> suffix of the file, and what writes it.
FORMS: dict[str, tuple[str, Callable[[Bundle, Path], None]]] = {"zip": (".zip", _zip)}
