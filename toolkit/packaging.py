"""`package`: a bundle as one file for transport. The forms for apps and firmware join here, one function each."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from edgekit._files import replacing
from edgekit.bundle import open_bundle
from edgekit.core import Bundle, Target
from edgekit.errors import BadInput, UnknownName, Unsupported, boundary
from edgekit.registry import find


def package(path: str | Path, form: str, *, out: str | Path | None = None) -> Path:
    """Write the bundle at `path` in `form`, whole or not at all; returns what was written.

    Args:
        form: a name of `FORMS`, or of its target's own. out: where to; beside the bundle if None.

    Raises:
        Unsupported: no such form. BadInput: not a bundle, or the place is inside it or taken by something else.
    """
    bundle = open_bundle(Path(path))
    forms = {**FORMS, **_forms_of(bundle)}
    if form not in forms:
        raise Unsupported(
            f"{bundle.path.name} cannot be packaged as {form!r}.", hint=f"Forms: {', '.join(sorted(forms))}."
        )
    suffix, write = forms[form]
    folder = bundle.path.resolve()
    place = Path(out).expanduser() if out else folder.with_name(folder.name + suffix)
    if place.resolve().is_relative_to(folder):
        raise BadInput(
            f"{place} is inside the bundle, which would not be whole any more.", hint="Choose another --out."
        )
    with boundary(), replacing(place) as fresh:
        write(bundle.path, fresh)
    return place


def _forms_of(bundle: Bundle) -> Mapping[str, tuple[str, Callable[[Path, Path], None]]]:
    """The forms that the bundle's target brings; none where it is another package's that is not installed here."""
    try:
        target: Target = find("targets", bundle.manifest.target.name)
    except UnknownName:
        return {}
    return target.forms


def _zip(folder: Path, place: Path) -> None:
    """A zip whose entries are stored, not deflated: weights do not compress, and apps can map them where they lie."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        for name in sorted(names):
            entry = zipfile.ZipInfo(name)  # of 1980, so that the same bundle gives the same bytes
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_STORED)


#: Form -> suffix of the file, and what writes it.
FORMS: dict[str, tuple[str, Callable[[Path, Path], None]]] = {"zip": (".zip", _zip)}
