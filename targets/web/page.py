"""`edgekit package BUNDLE --as page`: a folder for any static host, in which people try the model.

The files of `app/site/` around the package of `npm`, with nothing from elsewhere. Its Content-Security-Policy allows no
script but these files, and WebAssembly.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from pathlib import Path

from edgekit.core import Bundle, Form
from edgekit.errors import BadInput, boundary
from edgekit.targets.web.modules import fill
from edgekit.targets.web.npm import OPTIONS, app_of, package_name, runtime_of, words_of, write_package

_OPTIONS = {"title": "of the page, such as Speech to text", **OPTIONS}
#: What a visit without a network needs; the package keeps the model by itself.
_KEPT = (".js", ".mjs", ".wasm", ".css", ".html")


def write(bundle: Bundle, out: Path, options: Mapping[str, str]) -> None:
    """Write the page into the empty folder `out`.

    Args:
        options: ``title``; those of `edgekit.targets.web.npm.write_package`.

    Raises:
        BadInput: an empty title, or a bundle whose golden files are not what they should be.
        Unsupported: no loop for it. FetchFailed, MissingExtra: the runtime cannot be had.
    """
    app = app_of(bundle)
    title = options.get("title", bundle.manifest.model.name)
    if not title.strip() or not title.isprintable() or len(title) > 100:
        raise BadInput(
            f"{title!r} is no title: a line of at most 100 letters.", hint='Such as: -o title="Speech to text"'
        )
    with boundary():
        name = package_name(None, bundle.manifest.model.name)
        size = write_package(bundle, app, out / "lib", name, options)
        words = {**words_of(bundle, app, name, size), "edgekit-title": html.escape(title)}
        for file in ("index.html", "app.js", "answers.js", "style.css"):
            fill(f"site/{file}", out / file, words)
        runtime = runtime_of(bundle)
        kept = sorted(path for path in out.rglob("*") if path.suffix in _KEPT and not runtime.is_rare(path.name))
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in kept)).hexdigest()
        names = " ".join(["./", *(path.relative_to(out).as_posix() for path in kept)])
        fill("site/sw.js", out / "sw.js", {"edgekit-version": digest[:16], "edgekit-files": names})


FORM = Form("-page", write, folder=True, options=_OPTIONS)
