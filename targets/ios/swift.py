"""`edgekit package BUNDLE --as swift`: a Swift package with the model inside.

The templates are the files of `apple/`, which compile as they are: the loops (`loops/`, without any of Apple's
frameworks but Foundation), the class that an app sees (`api/`), what touches Core ML (`platform/`) or Core AI
(`coreai/`). Here their names are replaced, and only what the model's task needs is taken. Language models:
`edgekit.targets.ios.chat`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core import Bundle, Form
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.targets.common.apps import App, app_for, apps, closure
from edgekit.targets.common.assets import write_assets
from edgekit.targets.common.language import OPTIONS as CHAT
from edgekit.targets.common.language import no_chat, settings_of
from edgekit.targets.common.templates import words_of
from edgekit.targets.ios import chat
from edgekit.targets.ios.templates import TEMPLATES, fill, plain

_OPTIONS = {"name": "of the package and its module, such as SpeechModel", **CHAT}

#: Format -> what every package of it has: opening the model, and Apple's runtime.
_PLATFORM = {
    "coreml": ("platform/Compiled", "platform/CoreMLGraph", "platform/Open"),
    "coreai": ("coreai/CoreAIGraph", "coreai/Open"),
}
#: Format -> what the templates say of it.
_SAID = {
    "coreml": {
        "edgekit-files": "Core ML packages",
        "edgekit-opening": "compiles edgekit-size MB of Core ML packages for the device: once, into the app's\n"
        "Application Support folder (left out of backups), and again after an update of the system or the model",
    },
    "coreai": {
        "canImport(CoreML)": "canImport(CoreAI)",
        "Core ML computes": "Core AI computes",
        "edgekit-files": "Core AI assets (experimental)",
        "edgekit-opening": "lets the system prepare edgekit-size MB of Core AI assets for the device: once, into a\n"
        "cache of its own, and again after an update of the system or the model",
    },
}
#: Names the module of zlib where a loop compresses.
_ZIP = "import EdgekitModelZip"
_EXTENDED = re.compile(r"^ *extension (\w+)", re.MULTILINE)
#: iOS -> the macOS of the same year: the package's tests run on a Mac.
_MACS = {16: 13, 17: 14, 18: 15, 27: 27}
#: Words that no module can be called by, and modules that the package itself uses.
_TAKEN = """
    Any Self Type Protocol Swift Foundation CoreAI CoreML CoreGraphics CryptoKit XCTest Bundle Model
    Chat Answer Sampling
"""


def app_of(bundle: Bundle) -> App:
    """The class that an app gets for the bundle.

    Raises:
        Unsupported: its exporter or task has no loop for iPhones, or the loop lacks one of its facts.
    """
    manifest = bundle.manifest
    if manifest.recipe.exporter not in _PLATFORM:
        raise Unsupported(
            f"{bundle.path.name} cannot become a Swift package: its files are those of the {manifest.recipe.exporter} "
            "exporter, and the package runs Core ML or Core AI.",
            hint="The app runs this .tflite by the pod TensorFlowLiteSwift; see the bundle's README."
            if manifest.recipe.exporter == "litert"
            else f"edgekit export {manifest.model.export_argument} --target ios --runtime coreml",
        )
    return app_for(bundle, TEMPLATES / "api", "a Swift package", "iPhones")


def write(bundle: Bundle, out: Path, options: Mapping[str, str]) -> None:
    """Write the package into the empty folder `out`.

    Args:
        options: ``name``; of language models ``schemas`` and ``cache``, too.

    Raises:
        BadInput: a name that is no Swift module's, or a bundle whose golden files are not what they should be.
        Unsupported: no loop for it, or a chat template that an app cannot follow.
    """
    if bundle.manifest.recipe.exporter == "gguf":
        name = module_name(options.get("name"), bundle.manifest.model.name)
        with boundary():
            chat.write(bundle, out, name, settings_of(options))
        return
    no_chat(bundle, options)
    app = app_of(bundle)
    name = module_name(options.get("name"), bundle.manifest.model.name)
    with boundary():
        sources = out / "Sources" / name
        (sources / "Model").mkdir(parents=True)
        size = sum(write_assets(bundle, sources / "Model").values())
        files = _files(app, bundle.manifest.recipe.exporter)
        packed = any(_ZIP in file.read_text(encoding="utf-8") for file in files)
        words = _words(bundle, app, name, size, packed)
        for file in files:
            fill(f"{file.parent.name}/{file.name}", sources / file.name, words)
        if packed:
            for part in ("module.modulemap", "zip.h"):
                fill(f"zip/{part}", out / "Sources" / f"{name}Zip" / part, words)
        fill("package/Package.swift", out / "Package.swift", words)
        fill("package/README.md", out / "README.md", words)
        fill("package/ModelTests.swift", out / "Tests" / f"{name}Tests" / "ModelTests.swift", words)


def _files(app: App, form: str) -> list[Path]:
    """The templates of a package: those that it always has, its class, and what these name."""
    platform = TEMPLATES / "platform"
    first = [TEMPLATES / f"{name}.swift" for name in _PLATFORM[form]]
    first += [TEMPLATES / "api" / f"{name}.swift" for name in ("Model", app.api)]
    files = closure([*first, TEMPLATES / "package" / "ModelTests.swift"], [TEMPLATES / "loops", TEMPLATES / "api"])
    files.remove(TEMPLATES / "package" / "ModelTests.swift")
    # What gives a loop's type an initialiser from one of Apple's comes along with the type.
    taken = {file.stem for file in files}
    extensions = {file: _EXTENDED.findall(file.read_text(encoding="utf-8")) for file in sorted(platform.iterdir())}
    return files + [file for file, types in extensions.items() if file not in files and taken & set(types)]


def module_name(asked: str | None, model: str) -> str:
    """A module's name. Raises BadInput for a name that Swift does not take."""
    taken = {*_TAKEN.split(), *(app.api for app in apps())}
    made = "".join(part[:1].upper() + part[1:] for part in re.findall(r"[A-Za-z0-9]+", model))[:50]
    made = made or "OnDevice"
    name = asked if asked is not None else f"Model{made}" if made[0].isdigit() or made in taken else made
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,60}", name) or name in taken:
        raise BadInput(
            f"{name!r} cannot name a Swift module: letters and digits, a capital first, no word that is taken.",
            hint="Such as: -o name=SpeechModel",
        )
    return name


def _words(bundle: Bundle, app: App, name: str, size: int, packed: bool) -> dict[str, str]:
    """Names in the templates -> what they become."""
    manifest = bundle.manifest
    ios = _system(manifest)
    words = _SAID[manifest.recipe.exporter] | {
        "EdgekitModel": name,
        "EdgekitAPI": app.api,
        "edgekit-model": f"edgekit-{name}",
        ".iOS(.v16), .macOS(.v13)": f'.iOS("{ios}.0"), .macOS("{_MACS[ios]}.0")',
        "edgekit-ios": str(ios),
        "edgekit-description": plain(f"{manifest.model.name} ({manifest.model.task}), {manifest.recipe.precision}."),
        "edgekit-usage": (TEMPLATES / "package" / f"usage-{app.api}.swift").read_text(encoding="utf-8").rstrip(),
        **words_of(manifest, size),
    }
    if not packed:
        words['        .systemLibrary(name: "EdgekitModelZip"),\n'] = ""
        words[' dependencies: ["EdgekitModelZip"],'] = ""
    return words


def _system(manifest: Any) -> int:
    """The oldest iOS that loads every part. Raises BadInput where a part does not say it."""
    systems = {part.census.get("ios") for part in manifest.parts}
    if not systems <= _MACS.keys():
        raise BadInput("the bundle does not say which iOS its parts need.", hint="Export it again.")
    return max(int(system) for system in systems)


#: Folders that Swift and Xcode leave in a package.
FORM = Form("-swift", write, folder=True, options=_OPTIONS, leftovers=(".build", ".swiftpm", "Package.resolved"))
