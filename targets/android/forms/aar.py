"""`edgekit package BUNDLE --as aar`: a local Maven repository with one library for Android, in plain Java.

Made without Gradle: the loops and a small API over onnxruntime's Java classes, compiled against those of its library
for Android; the model as assets. The runtime itself is a dependency by Maven coordinate, in the version that proved the
bundle. For Kotlin with coroutines there is `--as gradle`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from edgekit.core import Bundle, Form
from edgekit.targets.android.forms.archive import content, write_aligned
from edgekit.targets.android.forms.checks import check_archive, check_size
from edgekit.targets.android.forms.fitness import asset_files, check_bundle
from edgekit.targets.android.forms.java import PHONE, classes_of, jar_of, sources_of, stubs
from edgekit.targets.android.forms.names import Names, names_of
from edgekit.targets.android.forms.tools import RUNTIME, runtime
from edgekit.targets.common.apps import App
from edgekit.targets.common.templates import replace_words

OPTIONS = {
    "package": "Java package and Maven group, such as com.example.speech",
    "name": "the Maven artifact, such as speech",
    "version": "of the Maven artifact, such as 1.2.0",
}


def write(bundle: Bundle, place: Path, options: Mapping[str, str]) -> None:
    """Write the repository into the empty folder `place`.

    Raises:
        BadInput: a name that is not legal. Unsupported: a bundle that has no loop for phones, or another runtime.
        OverBudget: more than the store delivers with an app. MissingExtra: a tool is absent.
    """
    names = names_of(options, bundle.manifest.model.name)
    app = check_bundle(bundle, "a library")
    words = _words(bundle, app, names)
    stem = f"{names.name}-{names.version}"
    folder = place.joinpath(*names.package.split("."), names.name, names.version)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="edgekit-aar-") as work:
        _write_library(bundle, app, words, folder / f"{stem}.aar", Path(work))
    (folder / f"{stem}.pom").write_text(
        _fill_template("pom.xml", {k: escape(v) for k, v in words.items()}), encoding="utf-8"
    )
    for file in sorted(folder.iterdir()):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        file.with_name(f"{file.name}.sha256").write_text(digest, encoding="ascii")
    (place / "README.md").write_text(_fill_template("README.md", words), encoding="utf-8")


def _write_library(bundle: Bundle, app: App, words: Mapping[str, str], place: Path, work: Path) -> None:
    root = f"assets/edgekit/{words['edgekit.phone']}"  # where no other library of the app has its own
    files, size = asset_files(bundle, words["edgekit-runtime-version"], root, work)
    check_size(size, "the model", "Package it with --as gradle, which lays out an asset pack.")
    files["AndroidManifest.xml"] = _fill_template("AndroidManifest.xml", words).encode()
    files["META-INF/com/android/build/gradle/aar-metadata.properties"] = _template("aar-metadata.properties").encode()
    files["R.txt"] = b""
    files["proguard.txt"] = _template("proguard.txt").encode()
    files["classes.jar"] = jar_of(_classes(app, words, work))
    write_aligned(place, files, {})
    check_archive(place)


def _classes(app: App, words: Mapping[str, str], work: Path) -> dict[str, bytes]:
    """In the user's own package, so that an app can have several such libraries."""
    (work / "onnxruntime.jar").write_bytes(content(runtime(), "classes.jar"))
    root = words["edgekit.phone"].replace(".", "/")
    folders = {"java": f"{root}/loops", "runtime": root, "aar": root}
    names = {"edgekit.phone.runtime": words["edgekit.phone"], **words}
    sources = {
        f"{folders[file.parent.name]}/{file.name}": replace_words(text, names)
        for file, text in sources_of(app, ("runtime", "aar"))
    }
    return classes_of(sources, [stubs(work), work / "onnxruntime.jar"], work)


def _words(bundle: Bundle, app: App, names: Names) -> dict[str, str]:
    """Names in the templates -> what they become."""
    manifest = bundle.manifest
    coordinate = manifest.app_dependency.removeprefix("maven:")
    group, artifact, version = coordinate.split(":")
    return {
        "edgekit.phone": names.package,
        "edgekit-model": names.name,
        "0.0.0-version": names.version,
        "edgekit-description": f"{manifest.model.name} ({manifest.model.task}), {manifest.recipe.precision}",
        "edgekit-licence": str(manifest.licences.get("weights", "unknown")),
        "edgekit-runtime-group": group,
        "edgekit-runtime-name": artifact,
        "edgekit-runtime-version": version,
        "edgekit-runtime": coordinate,
        "edgekit-compiled": RUNTIME.revision,
        "edgekit-usage": app.java,
    }


def _template(name: str) -> str:
    return (PHONE / "aar" / name).read_text(encoding="utf-8")


def _fill_template(name: str, words: Mapping[str, str]) -> str:
    return replace_words(_template(name), words)


FORM = Form("-aar", write, folder=True, options=OPTIONS)
