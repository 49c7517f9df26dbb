"""`package`: a bundle as a single file, or as a library for apps in a form of its target."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from edgekit.bundles import golden
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.facts import recipe_in
from edgekit.bundles.opened import makers
from edgekit.bundles.places import is_quantized
from edgekit.bundles.record import ours, record
from edgekit.bundles.staging import staging_folder
from edgekit.common.files import replacing
from edgekit.common.processors import usable_processors
from edgekit.core import Bundle, Case, Form
from edgekit.errors import BadInput, UnknownName, Unsupported, boundary
from edgekit.registry import find, names


def package(
    path: str | Path, form: str, *, out: str | Path | None = None, options: Mapping[str, str] | None = None
) -> Path:
    """Write the bundle at `path` in `form`, whole or not at all; returns what was written.

    Args:
        form: a name of `FORMS`, or of its target's own. out: where to; beside the bundle if None.
        options: of the form (`Form.options`), as text.

    Raises:
        Unsupported: no such form for this bundle. BadInput: not a bundle, an option or its value is wrong, or the place
            is inside the bundle or taken by something that this did not write, or that was changed since.
    """
    bundle = open_bundle(Path(path))
    chosen = _form(bundle, form)
    chosen_options = dict(options or {})
    _check_options(form, chosen, chosen_options)
    folder = bundle.path.resolve()
    place = Path(out).expanduser() if out else folder.with_name(folder.name + chosen.suffix)
    if place.resolve().is_relative_to(folder):
        raise BadInput(
            f"{place} is inside the bundle, which would not be whole any more.", hint="Choose another --out."
        )
    with boundary(), _fresh(place, chosen) as fresh:
        chosen.write(bundle, fresh, chosen_options, *([_cases(bundle)] if chosen.cases else []))
        if chosen.folder:
            record(fresh, form)
    return place


def size_of(place: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if place.is_file():
        return place.stat().st_size
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def _cases(bundle: Bundle) -> list[Case]:
    """What the runtime of the bundle asks a phone, the first calls that the golden input makes among it."""
    runtime, parts = makers(bundle).runtime, {}
    if not runtime.cpu:
        return []  # it is for no accelerator
    calls = golden.prove(bundle, usable_processors()).calls
    for part in bundle.manifest.parts:
        feeds = [given for given, _ in calls.get(part.name, ())]
        if feeds:
            parts[part.name] = (bundle.path / part.file, feeds, is_quantized(part.census))
    return [*runtime.cases(parts, recipe_in(bundle.manifest))]


def _fresh(place: Path, form: Form) -> AbstractContextManager[Path]:
    """A temporary file or folder that takes the name `place` when it is complete."""
    return staging_folder(place, partial(ours, leftovers=form.leftovers)) if form.folder else replacing(place)


def _form(bundle: Bundle, name: str) -> Form:
    """The form `name` of `bundle`. Raises Unsupported, which names targets that have the form."""
    target: str = bundle.manifest.target.name
    forms = {**FORMS, **_forms_of(target)}
    if name in forms:
        return forms[name]
    listed = f"Forms: {', '.join(sorted(forms))}."
    having = [other for other in names("targets") if name in _forms_of(other)]
    if having:
        again = f"edgekit export {bundle.manifest.model.export_argument} --target {having[0]}"
        raise Unsupported(
            f"{bundle.path.name} cannot be packaged as {name!r}: it was made for {target}, "
            f"and that form is of {', '.join(having)}.",
            hint=f"Make such a bundle with: {again}. {listed}",
        )
    raise Unsupported(f"{bundle.path.name} cannot be packaged as {name!r}.", hint=listed)


def _forms_of(target: str) -> Mapping[str, Form]:
    """The forms of a target; none if it belongs to another package that is not installed here."""
    try:
        return find("targets", target).forms
    except UnknownName:
        return {}


def _check_options(name: str, form: Form, options: Mapping[str, str]) -> None:
    known = "; ".join(f"{key}: {meaning}" for key, meaning in form.options.items()) or "none"
    for key, value in options.items():
        if key not in form.options:
            raise BadInput(f"the form {name} has no option {key!r}.", hint=f"Its options: {known}.")
        if not isinstance(value, str):
            raise BadInput(f"the option {key} of the form {name} is a text, not {value!r}.")


def _zip(bundle: Bundle, place: Path, options: Mapping[str, str]) -> None:
    """A zip whose entries are stored, not deflated: weights do not compress, and apps can map them where they lie."""
    folder = bundle.path
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # of 1980, so that the same bundle gives the same bytes
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_STORED)


#: Forms of every bundle.
FORMS = {"zip": Form(".zip", _zip)}
