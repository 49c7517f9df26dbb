"""`edgekit package BUNDLE --as apk`: an app that runs the model's golden input on a phone and shows PASS or FAIL.

Built without Gradle and without Android's SDK, signed with a key that is made for it and kept in the cache: for trying,
not for a store. What comes out is checked (`checks.py`), its signature verified, its manifest read back by aapt2.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

from edgekit.common.files import cache_folder, make_once
from edgekit.core import Bundle, Form
from edgekit.errors import ExportFailed
from edgekit.targets.android.forms import native
from edgekit.targets.android.forms.archive import content, write_aligned
from edgekit.targets.android.forms.checks import check_archive, check_size
from edgekit.targets.android.forms.elf import PAGE
from edgekit.targets.android.forms.fitness import asset_files, check_bundle
from edgekit.targets.android.forms.java import PHONE, classes_of, dex_of, sources_of, stubs
from edgekit.targets.android.forms.names import Names, names_of
from edgekit.targets.android.forms.tools import DEXER, FRAMEWORK, RUNTIME, run, runtime, tool
from edgekit.targets.common.apps import App

OPTIONS = {
    "package": "the app's id, a Java package such as com.example.speech",
    "name": "what stands under its icon, such as speech",
    "version": "such as 1.2.0",
}
_ABI = "arm64-v8a"
_LIBRARIES = ("libonnxruntime.so",)
_ACTIVITY = "edgekit.phone.runtime.DemoActivity"
#: For its key alone: it guards nothing.
_PASSWORD, _ALIAS = "edgekit", "demo"


def write(bundle: Bundle, place: Path, options: Mapping[str, str]) -> None:
    """Write the app to the file `place`.

    Raises:
        BadInput: a name that is not legal. Unsupported: a bundle that has no loop for phones, or another runtime.
        OverBudget: more than the store delivers with an app. MissingExtra: a tool is absent.
    """
    names = names_of(options, bundle.manifest.model.name)
    app = check_bundle(bundle, "an app")
    # Before any tool is asked for: nobody should install tools for an app that is too large.
    size = sum(file.size for name, file in bundle.manifest.files.items() if not name.startswith("golden/"))
    check_size(size, bundle.path.name, "Package it with --as gradle, which lays out an asset pack for the model.")
    with tempfile.TemporaryDirectory(prefix="edgekit-apk-") as folder:
        work = Path(folder)
        made = work / "app.apk"
        unsigned = _write_unsigned_apk(bundle, app, names, work)
        _sign(unsigned, made, work)
        check_size(made.stat().st_size, "the app", "Package it with --as gradle: an asset pack takes the model.")
        check_archive(made)
        inspect(made, names.package)
        place.write_bytes(made.read_bytes())


def inspect(app: Path, package: str) -> dict[str, str]:
    """What apksigner and aapt2 say of the app.

    Returns:
        ``{"signatures": "v2, v3", "package", "minSdk", "targetSdk", "activity"}``.

    Raises:
        ExportFailed: it is not signed as it should be, or its own description differs from what was asked for.
    """
    verified = run([tool("apksigner"), "verify", "--verbose", app], "apksigner verify")
    schemes = re.findall(r"Verified using (v\d) scheme.*: true", verified)
    badging = run([tool("aapt2"), "dump", "badging", app], "aapt2 dump badging")
    facts = {
        "signatures": ", ".join(schemes),
        "package": _first_match(r"package: name='([^']*)'", badging),
        "minSdk": _first_match(r"(?:minSdkVersion|sdkVersion):'([^']*)'", badging),
        "targetSdk": _first_match(r"targetSdkVersion:'([^']*)'", badging),
        "activity": _first_match(r"launchable-activity: name='([^']*)'", badging),
    }
    expected = {"signatures": "v2, v3", "package": package, "activity": _ACTIVITY}
    for key, value in expected.items():
        if facts[key] != value:
            raise ExportFailed(f"the app that was built has {key} {facts[key]!r} where {value!r} was meant.")
    if "uses-permission" in badging or _ABI not in badging:
        raise ExportFailed("the app that was built asks for a permission, or has no library for 64-bit Arm.")
    return facts


def _first_match(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""


def _write_unsigned_apk(bundle: Bundle, app: App, names: Names, work: Path) -> Path:
    files, _ = asset_files(bundle, RUNTIME.revision, "assets/edgekit", work)
    files["AndroidManifest.xml"] = _manifest(names, work)
    files["classes.dex"] = _dex(app, work)
    libraries = {f"lib/{_ABI}/libedgekit.so": native.library()}
    libraries |= {f"lib/{_ABI}/{name}": content(runtime(), f"jni/{_ABI}/{name}") for name in _LIBRARIES}
    unsigned = work / "unsigned.apk"
    write_aligned(unsigned, {**files, **libraries}, dict.fromkeys(libraries, PAGE))
    return unsigned


def _dex(app: App, work: Path) -> bytes:
    """The code of the app, which is the same for every model of a task: from the cache, or compiled."""
    folders = {"java": "loops", "runtime": "runtime", "demo": "runtime"}
    sources = {
        f"edgekit/phone/{folders[file.parent.name]}/{file.name}": text
        for file, text in sources_of(app, ("runtime", "demo"))
    }
    compiler = run([tool("javac"), "-version"], "javac")
    key = hashlib.sha256(repr((sorted(sources.items()), DEXER, compiler)).encode()).hexdigest()[:16]
    place = cache_folder() / "phone" / f"demo-{key}.dex"

    def make(fresh: Path) -> None:
        fresh.write_bytes(dex_of(classes_of(sources, [stubs(work)], work), work))

    return make_once(place, make).read_bytes()


def _manifest(names: Names, work: Path) -> bytes:
    """In Android's binary form."""
    text = (PHONE / "demo" / "AndroidManifest.xml").read_text(encoding="utf-8")
    text = text.replace('"edgekit.phone"', quoteattr(names.package)).replace('"edgekit-label"', quoteattr(names.name))
    (work / "AndroidManifest.xml").write_text(text.replace("0.0.0-version", names.version), encoding="utf-8")
    linked = work / "linked.apk"
    if not FRAMEWORK.is_file():
        tool(FRAMEWORK.name)  # says how to get it
    manifest = work / "AndroidManifest.xml"
    run([tool("aapt2"), "link", "-o", linked, "--manifest", manifest, "-I", FRAMEWORK], "aapt2 link")
    return content(linked, "AndroidManifest.xml")


def _sign(unsigned: Path, made: Path, work: Path) -> None:
    """By versions 2 and 3 of Android's scheme, which leave every entry where it lies."""
    key: list[str | Path] = ["--ks", _key(), "--ks-pass", f"pass:{_PASSWORD}", "--ks-key-alias", _ALIAS]
    schemes = ["--v1-signing-enabled", "false", "--v2-signing-enabled", "true", "--v3-signing-enabled", "true"]
    schemes += ["--v4-signing-enabled", "false", "--alignment-preserved", "true"]
    run([tool("apksigner"), "sign", *key, *schemes, "--out", made, unsigned], "apksigner sign")


def _key() -> Path:
    """A key of this machine's cache, made at first use. RSA, so that the same app has the same signature again."""

    def make(fresh: Path) -> None:
        kind = ["-storetype", "PKCS12", "-alias", _ALIAS, "-storepass", _PASSWORD, "-keyalg", "RSA", "-keysize", "3072"]
        owner = ["-validity", "10950", "-dname", "CN=edgekit demo, O=not for a store"]
        run([tool("keytool"), "-genkeypair", "-keystore", fresh, *kind, *owner], "keytool")

    return make_once(cache_folder() / "phone" / "demo.keystore", make)


FORM = Form(".apk", write, options=OPTIONS)
