"""`edgekit package BUNDLE --as npm`: an npm package with the model inside.

The templates are the ES modules of `app/`, which run as they are: the loops (`loops/`), the worker and what speaks to
it (`core/`), and the class that an app sees (`api/`). Only what the task needs is taken. The user builds nothing:
every file is named by `new URL("./…", import.meta.url)`, which browsers, Vite and webpack follow.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core import Bundle, Facts, Form
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.targets.common import language, templates
from edgekit.targets.common.apps import App, app_for
from edgekit.targets.common.assets import DESCRIPTION, FILES, write_assets, write_file_list
from edgekit.targets.web.modules import TEMPLATES, example_of, fill, join_modules, modules_of, plain
from edgekit.targets.web.npm_files import LITERT_JS, ONNXRUNTIME_WEB, WLLAMA, NpmFiles
from edgekit.targets.web.opening import opening_facts

#: Exporter -> what runs its files in a page.
RUNTIMES = {"onnx": ONNXRUNTIME_WEB, "litert": LITERT_JS, "gguf": WLLAMA}
#: What apps get of a language model.
CHAT = App("Chat", "text-generation", "ChatLoop", "")
#: Options of every form.
OPTIONS = {
    **{files.name: "folder of the installed npm package, if npm is not to fetch it" for files in RUNTIMES.values()},
    **language.OPTIONS,
}
_OPTIONS = {"name": "of the package, such as @me/speech", "version": "of the package, such as 1.2.0", **OPTIONS}

#: Static hosts take files below 25 MiB.
_SHARD = 24 * 2**20
#: What a page reads of the assets, besides the parts.
_READ = (DESCRIPTION, language.DESCRIPTION, "vocabulary.bin", "golden/input.bin", "golden/reference.bin")
_NAME = re.compile(r"(?:@[a-z0-9-][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*")


def app_of(bundle: Bundle) -> App:
    """The class that an app gets for the bundle.

    Raises:
        Unsupported: its exporter or task has no loop for browsers, or the loop lacks one of its facts.
    """
    if runtime_of(bundle) is WLLAMA:
        return CHAT
    return app_for(bundle, TEMPLATES / "api", "a package for browsers", "browsers")


def runtime_of(bundle: Bundle) -> NpmFiles:
    """What runs the bundle's files in a page. Raises Unsupported: nothing does."""
    manifest = bundle.manifest
    if manifest.recipe.exporter not in RUNTIMES:
        raise Unsupported(
            f"{bundle.path.name} cannot become a package for browsers: its files are those of the "
            f"{manifest.recipe.exporter} exporter, and the package runs ONNX, LiteRT or GGUF.",
            hint=f"edgekit export {manifest.model.export_argument} --target web",
        )
    return RUNTIMES[manifest.recipe.exporter]


def package_name(asked: str | None, model: str) -> str:
    """A package's name. Raises BadInput for a name that npm does not take."""
    name = asked if asked is not None else "-".join(re.findall(r"[a-z0-9]+", model.lower()))[:100] or "model"
    if not _NAME.fullmatch(name) or len(name) > 214 or name in ("node_modules", "favicon.ico"):
        raise BadInput(
            f"{name!r} cannot name an npm package: small letters, digits and hyphens, perhaps behind a scope.",
            hint="Such as: -o name=@me/speech",
        )
    return name


def write(bundle: Bundle, out: Path, options: Mapping[str, str]) -> None:
    """Write the package into the empty folder `out`.

    Args:
        options: ``name``, ``version``; those of `write_package`.

    Raises:
        BadInput: a name or version that npm does not take, or a bundle whose golden files are not what they should be.
        Unsupported: no loop for it. FetchFailed, MissingExtra: the runtime cannot be had.
    """
    app = app_of(bundle)
    name = package_name(options.get("name"), bundle.manifest.model.name)
    version = options.get("version", "1.0.0")
    if not re.fullmatch(r"\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]{1,50})?", version):
        raise BadInput(f"{version!r} is not a version of npm.", hint="Such as: -o version=1.2.0")
    with boundary():
        size = write_package(bundle, app, out, name, options)
        words = words_of(bundle, app, name, size)
        fill("package/README.md", out / "README.md", words)
        (out / "package.json").write_bytes(_json(_package(bundle, name, version)))


def write_package(bundle: Bundle, app: App, out: Path, name: str, options: Mapping[str, str]) -> int:
    """Write the modules, the model and the runtime into the empty folder `out`; returns what a first visit fetches.

    Args:
        options: the runtime's name, see `NpmFiles.find`; of language models those of `edgekit.targets.common.language`.
    """
    runtime = runtime_of(bundle)
    (out / "model").mkdir(parents=True)
    (out / runtime.folder).mkdir()
    runtime.copy(out / runtime.folder, options.get(runtime.name))
    if runtime.licence:
        fill(f"package/{runtime.licence}", out / runtime.folder / "LICENSE", {})
    parts = _write_language(bundle, out, options) if app is CHAT else _write_networks(bundle, out, options)
    shards = {part: _split(out / "model" / part) for part in parts}
    write_file_list(out / "model")
    listed = {entry["name"]: entry for entry in json.loads((out / "model" / FILES).read_bytes())["files"]}
    files = {file: shards.get(file, [file]) for file in (*_READ, *parts) if file in listed or file in shards}
    digest = hashlib.sha256((out / "model" / FILES).read_bytes()).hexdigest()[:16]
    seen = {name: [listed[shard] for shard in pieces] for name, pieces in files.items()}
    (out / "package.js").write_text(_package_module(runtime, name, digest, seen), encoding="utf-8")
    _write_modules(app, runtime, out, f"{name} {digest}")
    fetched = [entry for file, entries in seen.items() if not file.startswith("golden/") for entry in entries]
    weights = sum(int(entry["size"]) for entry in fetched)
    return weights + runtime.visit_bytes(out / runtime.folder)


def _write_language(bundle: Bundle, out: Path, options: Mapping[str, str]) -> list[str]:
    """Write the assets of a conversation; the files of its parts."""
    language.write_language(bundle, out / "model", language.settings_of(options))
    return [bundle.manifest.parts[0].file]


def _write_networks(bundle: Bundle, out: Path, options: Mapping[str, str]) -> list[str]:
    """Write the assets of a task; the files of its parts."""
    language.no_chat(bundle, options)
    write_assets(bundle, out / "model")
    return _add_facts(bundle, out / "model" / DESCRIPTION)


def _add_facts(bundle: Bundle, file: Path) -> list[str]:
    """Say in the description how a page opens each part; the parts' files."""
    description = json.loads(file.read_bytes())
    exporter = bundle.manifest.recipe.exporter
    for part, known in zip(description["parts"], bundle.manifest.parts, strict=True):
        declared = [[spec["dtype"] for spec in part[side]] for side in ("inputs", "outputs")]
        part |= opening_facts(exporter, file.parent / part["file"], known.census, declared)
    file.write_bytes(_json(description))
    return [part["file"] for part in description["parts"]]


def _write_modules(app: App, runtime: NpmFiles, out: Path, identity: str) -> None:
    first = [TEMPLATES / "api" / f"{app.api}.js", TEMPLATES / "core" / "sound.js"]
    for file in modules_of(first):
        for source in (file, file.with_suffix(".d.ts")):
            if source.is_file():
                fill(f"{file.parent.name}/{source.name}", out / file.parent.name / source.name, {})
    fill("core/types.d.ts", out / "core" / "types.d.ts", {})
    fill("core/recorder.js", out / "recorder.js", {})
    for index in ("index.js", "index.d.ts"):
        fill(f"package/{index}", out / index, {"EdgekitAPI": app.api})
    names = ("core/serving", f"core/{runtime.core}", f"loops/{app.loop}")
    code = join_modules([TEMPLATES / f"{file}.js" for file in names])
    begin = f"$serving.serve({json.dumps(identity)}, ${app.loop}.{app.loop}, ${runtime.core}.open);\n"
    head = "/** What computes, in a worker: made by edgekit of its modules. */\n"
    (out / "worker.js").write_text(head + code + begin, encoding="utf-8")


def _split(file: Path) -> list[str]:
    """Cut a file that is too large into shards; the names of what is there then."""
    if file.stat().st_size <= _SHARD:
        return [file.name]
    names: list[str] = []
    with file.open("rb") as source:
        while piece := source.read(_SHARD):
            names.append(f"{file.name}.{len(names)}")
            file.with_name(names[-1]).write_bytes(piece)
    file.unlink()
    return names


def _package_module(runtime: NpmFiles, name: str, version: str, files: Mapping[str, list[Mapping[str, Any]]]) -> str:
    """What a page knows of the package, with an address for every file: bundlers copy what they see here."""
    lines = [
        "/** What is in this package. Each address is written out, so that bundlers copy the files. */",
        "export const PACKAGE = {",
        f"    name: {json.dumps(name)},",
        f"    version: {json.dumps(version)},",
        f"    code: {_url('worker.js')},",
        "    runtime: {",
        f"        version: {json.dumps(f'{runtime.name} {runtime.version}')},",
        "        addresses: {",
        *(f"            {word}: {_url(f'{runtime.folder}/{file}')}," for word, file in runtime.addresses.items()),
        "        },",
        "    },",
        "    files: [",
    ]
    for file, shards in files.items():
        size = sum(shard["size"] for shard in shards)
        lines.append(f"        {{ name: {json.dumps(file)}, size: {size}, shards: [")
        for shard in shards:
            facts = f"size: {shard['size']}, sha256: {json.dumps(shard['sha256'])}"
            lines.append(f"            {{ url: {_url('model/' + shard['name'])}, {facts} }},")
        lines.append("        ] },")
    return "\n".join([*lines, "    ],", "};", ""])


def _url(path: str) -> str:
    return f"new URL({json.dumps('./' + path)}, import.meta.url)"


def _package(bundle: Bundle, name: str, version: str) -> Facts:
    manifest, runtime = bundle.manifest, runtime_of(bundle)
    return {
        "name": name,
        "version": version,
        "description": _description(manifest),
        "license": plain(manifest.licences.get("weights", "unknown")),
        "type": "module",
        "sideEffects": False,
        "exports": {".": {"types": "./index.d.ts", "default": "./index.js"}, "./*": "./*"},
        "types": "./index.d.ts",
        "edgekit": {"bundle": manifest.digest, runtime.name: runtime.version},
    }


def words_of(bundle: Bundle, app: App, name: str, size: int) -> dict[str, str]:
    """Names in the templates -> what they become."""
    manifest, runtime = bundle.manifest, runtime_of(bundle)
    return {
        "edgekit-name": name,
        "EdgekitAPI": app.api,
        "edgekit-description": _description(manifest),
        "edgekit-usage": example_of(TEMPLATES / "api" / f"{app.api}.js"),
        **templates.words_of(manifest, size),
        "edgekit-runtime": f"{runtime.name} {runtime.version}",
        "edgekit-folder": runtime.folder,
        "edgekit-terms": runtime.terms,
    }


def _description(manifest: Any) -> str:
    return plain(f"{manifest.model.name} ({manifest.model.task}), {manifest.recipe.precision}, for browsers.")


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


#: What npm leaves in a package.
FORM = Form("-npm", write, folder=True, options=_OPTIONS, leftovers=("node_modules", "package-lock.json"))
