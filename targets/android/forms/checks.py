"""What must hold for an Android library (.aar) or app (.apk) before anybody gets it.

Reads the file alone (fidelity: structural). It refuses what phones and the store would refuse, and what a user would
not want: permissions that a model does not need, and code that reports to somebody.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edgekit.errors import BadInput, OverBudget
from edgekit.targets.android.forms.archive import Entry, content, entries
from edgekit.targets.android.forms.elf import ABIS, PAGE, check_library

#: What Google Play delivers at most with an app itself; larger models go into asset packs.
BASE_MODULE = 200_000_000

#: Parts of names of classes and symbols -> who gets the data. Of analytics, advertising and crash reports.
TELEMETRY = {
    "ai/onnxruntime/telemetry/": "onnxruntime (Microsoft 1DS)",
    "com/microsoft/applications/events": "Microsoft 1DS",
    "Microsoft12Applications6Events": "Microsoft 1DS",
    "com/microsoft/appcenter": "Visual Studio App Center",
    "com/google/firebase/analytics": "Firebase Analytics",
    "com/google/firebase/crashlytics": "Firebase Crashlytics",
    "com/google/android/gms/measurement": "Google Analytics",
    "com/google/android/gms/ads": "Google Mobile Ads",
    "com/google/android/datatransport": "Google data transport",
    "com/facebook/appevents": "Facebook App Events",
    "com/appsflyer": "AppsFlyer",
    "com/adjust/sdk": "Adjust",
    "com/amplitude": "Amplitude",
    "com/mixpanel": "Mixpanel",
    "com/flurry": "Flurry",
    "com/bugsnag": "Bugsnag",
    "com/newrelic": "New Relic",
    "com/datadog": "Datadog",
    "com/segment/analytics": "Segment",
    "com/umeng": "Umeng",
    "io/sentry": "Sentry",
    "io/branch/referral": "Branch",
}
#: Ends of names of assets that an app maps where they lie; those of `android.aaptOptions.noCompress` in AGP's words.
_MAPPED = (".onnx", ".tflite", ".gguf", ".ort", ".bin")
_PERMISSION = re.compile(r"[A-Za-z0-9_.]+\.permission\.[A-Za-z0-9_]+")
_LARGEST_MANIFEST = 1 << 20


class Archive(NamedTuple):
    """What an archive holds: ABI -> library -> bytes, and names of mapped assets that are stored."""

    libraries: dict[str, dict[str, int]]
    stored: list[str]


def check_archive(file: Path) -> Archive:
    """What the archive holds, if it may be shipped.

    Args:
        file: an ``.apk``, or an ``.aar`` (by its ending).

    Raises:
        BadInput: a damaged or deceiving archive; a library that phones refuse (`check_library`) or that has no form for
            64-bit Arm; an entry that must be stored and aligned and is not; a permission; telemetry.
    """
    items = entries(file)
    app = file.suffix == ".apk"
    libraries = _libraries(file, items, "lib" if app else "jni")
    for entry in items:
        _check_place(entry, app, file.name)
    asked = sorted(permissions_of(content(file, "AndroidManifest.xml"))) if _has(items, "AndroidManifest.xml") else None
    if asked is None:
        raise BadInput(f"{file.name} has no AndroidManifest.xml: it is no library and no app for Android.")
    if asked:
        raise BadInput(f"{file.name} asks for the permission {asked[0]}, which running a model does not need.")
    if receivers := _telemetry(file, items):
        raise BadInput(
            f"{file.name} holds code that reports to {receivers[0]}.",
            hint="Take a release of that library without it, or leave that part out.",
        )
    stored = [entry.name for entry in items if entry.stored and entry.name.endswith(_MAPPED)]
    return Archive(libraries, stored)


def check_size(size: int, what: str, hint: str) -> None:
    """Raises OverBudget where an app module of `size` bytes is more than the store delivers."""
    if size > BASE_MODULE:
        raise OverBudget(
            f"{what} has {size / 1e6:.1f} MB; Google Play delivers at most {BASE_MODULE / 1e6:.0f} MB with an app.",
            hint=hint,
        )


def permissions_of(manifest: bytes) -> set[str]:
    """Names of permissions in a manifest, as text or in Android's binary form (whose strings are UTF-8 or UTF-16)."""
    if len(manifest) > _LARGEST_MANIFEST:
        raise BadInput("the manifest is larger than any app's.")
    texts = (manifest.decode("latin-1"), manifest[0::2].decode("latin-1"), manifest[1::2].decode("latin-1"))
    return {name for text in texts for name in _PERMISSION.findall(text)}


def telemetry_in(data: bytes) -> set[str]:
    """Values of `TELEMETRY` whose names occur in a .dex, a library, or the names of a .jar (dots or slashes)."""
    return {who for name, who in TELEMETRY.items() if name.encode() in data or name.replace("/", ".").encode() in data}


def _libraries(file: Path, items: list[Entry], folder: str) -> dict[str, dict[str, int]]:
    libraries: dict[str, dict[str, int]] = {}
    for entry in items:
        parts = entry.name.split("/")
        if not entry.name.endswith(".so"):
            continue
        if len(parts) != 3 or parts[0] != folder or parts[1] not in ABIS:
            raise BadInput(f"{file.name}: the library {entry.name} lies where no phone looks for libraries.")
        check_library(content(file, entry.name), f"{file.name}: {entry.name}", parts[1])
        libraries.setdefault(parts[1], {})[parts[2]] = entry.size
    for name in sorted({name for of_abi in libraries.values() for name in of_abi}):
        if name not in libraries.get("arm64-v8a", {}):
            raise BadInput(
                f"{file.name}: the library {name} is not there for arm64-v8a; the store takes no app without it."
            )
    return libraries


def _check_place(entry: Entry, app: bool, what: str) -> None:
    library = entry.name.endswith(".so")
    mapped = entry.name.startswith("assets/") and entry.name.endswith(_MAPPED)
    if not entry.stored:
        if mapped or (app and (library or entry.name == "resources.arsc")):
            raise BadInput(f"{what}: {entry.name} is compressed, but must be stored: it is mapped where it lies.")
        return
    # Only an app's libraries are mapped from the archive itself; those of an .aar are packed anew into an app.
    demanded = PAGE if library and app else 4
    if (mapped or app) and entry.start % demanded:
        raise BadInput(f"{what}: {entry.name} starts at byte {entry.start}, which is no multiple of {demanded}.")


def _telemetry(file: Path, items: list[Entry]) -> list[str]:
    receivers: set[str] = telemetry_in(content(file, "AndroidManifest.xml"))
    for entry in items:
        if entry.name.endswith((".dex", ".so")):
            receivers |= telemetry_in(content(file, entry.name))
        elif entry.name.endswith(".jar"):
            receivers |= telemetry_in("\n".join(_names_in_jar(content(file, entry.name), entry.name)).encode())
    return sorted(receivers)


def _names_in_jar(data: bytes, what: str) -> Iterator[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as jar:
            yield from jar.namelist()
    except (zipfile.BadZipFile, NotImplementedError) as exc:
        # NotImplementedError is zipfile's word for a compression that it lacks.
        raise BadInput(f"{what} is not a .jar, or is damaged: {exc}.") from exc


def _has(items: list[Entry], name: str) -> bool:
    return any(entry.name == name for entry in items)
