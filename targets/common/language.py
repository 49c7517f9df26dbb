"""What an app takes of a language model's bundle: weights, the texts of its chat template, golden texts, licences.

And llama.cpp's source, which the app compiles.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.common.documents import read_json
from edgekit.core import Bundle, Facts
from edgekit.errors import BadInput, Unsupported
from edgekit.formats import gguf
from edgekit.formats.gguf.described import shape_of_file
from edgekit.formats.gguf.turns import between
from edgekit.llama import build, library
from edgekit.llama.grammar import grammar_of
from edgekit.llama.words import special_tokens
from edgekit.targets.common.assets import write_file_list

#: What the loops read first.
DESCRIPTION = "chat.json"
#: The options of a form that go with language models, and what they mean.
OPTIONS = {
    "schemas": "folder of JSON schemas (NAME.json) that the app may ask answers to keep to, by name",
    "cache": "type of a language model's keys and values: f16, or q8_0 in about half of the memory",
}
#: Bits of a key or value; Q8_0 has a scale of 16 bits for 32 of them.
_CACHES = {"f16": 16.0, "q8_0": 8.5}
#: Our layer in C over llama.cpp, which apps of every system compile.
LAYER = Path(__file__).parent / "llama"
#: Of llama.cpp's source, what a processor needs: neither programs nor backends for others.
_SOURCE = ("CMakeLists.txt", "LICENSE", "cmake", "include", "src", "ggml/CMakeLists.txt", "ggml/cmake", "ggml/include")
_KERNELS = "ggml/src"


@dataclass(frozen=True)
class Settings:
    """How an app converses.

    Attributes:
        grammars: name -> grammar of every schema; an app has no converter. cache: type of keys and values.
    """

    grammars: Mapping[str, str] = field(default_factory=dict)
    cache: str = "f16"


def settings_of(options: Mapping[str, str]) -> Settings:
    """What the options `OPTIONS` say.

    Raises:
        BadInput: there is no such folder or no schema in it, or one that a grammar cannot hold; another type of cache.
    """
    cache = options.get("cache", "f16")
    if cache not in _CACHES:
        raise BadInput(f"{cache!r} is no type of keys and values.", hint=f"One of: {', '.join(_CACHES)}.")
    return Settings(_grammars(options), cache)


def _grammars(options: Mapping[str, str]) -> dict[str, str]:
    if "schemas" not in options:
        return {}
    files = sorted(Path(options["schemas"]).expanduser().glob("*.json"))
    if not files:
        raise BadInput(
            f"there is no folder {options['schemas']!r} with schemas.",
            hint="Such as: -o schemas=FOLDER, with a place.json",
        )
    made = {}
    for file in files:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,60}", file.stem):
            raise BadInput(f"{file.stem!r} cannot name a schema: letters, digits, - and _, a letter first.")
        try:
            made[file.stem] = grammar_of(read_json(file))
        except BadInput as exc:
            raise BadInput(f"{file.name}: {exc.message}", hint=exc.hint) from exc
    return made


def no_chat(bundle: Bundle, options: Mapping[str, str]) -> None:
    """Raise BadInput for options that only language models have."""
    for name in OPTIONS.keys() & options.keys():
        raise BadInput(f"{bundle.path.name} holds no language model: nothing else takes -o {name}.")


def write_language(bundle: Bundle, out: Path, settings: Settings) -> dict[str, int]:
    """Write the assets into the empty folder `out`, with the list of all files and their hashes.

    Returns:
        name -> size in bytes of every file but that list.

    Raises:
        BadInput: the weights are damaged. Unsupported: no chat template, or more than an app can follow.
        MissingExtra: llama.cpp is not installed.
    """
    manifest = bundle.manifest
    weights = bundle.path / manifest.parts[0].file
    (out / DESCRIPTION).write_text(
        json.dumps(_description(bundle, weights, settings), indent=1, ensure_ascii=False) + "\n",
        "utf-8",
    )
    shutil.copyfile(weights, out / weights.name)
    for name in sorted(name for name in manifest.files if name.startswith("licences/")):
        (out / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(bundle.path / name, out / name)
    (out / "licences").mkdir(exist_ok=True)
    shutil.copyfile(build.source() / "vendor" / "llama.cpp" / "LICENSE", out / "licences" / "llama.cpp.txt")
    return write_file_list(out)


def write_source(out: Path) -> str:
    """Write llama.cpp's source for processors into the folder `out`; returns of which version it is.

    Raises:
        FetchFailed: see `edgekit.llama.build.source`.
    """
    origin = build.source() / "vendor" / "llama.cpp"
    for name in _SOURCE:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        if (origin / name).is_dir():
            shutil.copytree(origin / name, out / name)
        else:
            shutil.copyfile(origin / name, out / name)
    shutil.copytree(origin / _KERNELS / "ggml-cpu", out / _KERNELS / "ggml-cpu")
    for file in sorted((origin / _KERNELS).iterdir()):
        if file.is_file():
            shutil.copyfile(file, out / _KERNELS / file.name)
    # What its programs take from others; its CMake wants the folder, and nothing in it is compiled here.
    (out / "vendor").mkdir()
    (out / "vendor" / "CMakeLists.txt").write_text("# Left out: only programs take it.\n", "ascii")
    return f"llama.cpp as of llama-cpp-python {library.VERSION} (sha256 {library.SDIST})"


def _description(bundle: Bundle, weights: Path, settings: Settings) -> Facts:
    manifest, header = bundle.manifest, gguf.read(weights)
    template = header.metadata.get("tokenizer.chat_template")
    if not isinstance(template, str):
        raise Unsupported(f"{bundle.path.name} has no chat template: it goes on with texts, and cannot converse.")
    shape = shape_of_file([header], weights.name)
    context = min(int(manifest.facts["context"]), shape.context)
    cache = shape.cache(context, _CACHES[settings.cache])
    memory = header.size + shape.laid_out(header.file_type) + cache + shape.buffers(context)
    answer = manifest.golden.output.partition("\ufffd")[0]  # where its last token ends inside a character
    special = special_tokens(weights)
    return {
        "model": manifest.model.name,
        "file": weights.name,
        "identity": f"{manifest.files[manifest.parts[0].file].sha256} llama-cpp-python {library.VERSION}",
        "context": context,
        "cache": settings.cache,
        "memory": memory,
        "golden": {"prompt": _golden(bundle), "answer": answer},
        "template": between(template, special),
        "begin": special["bos_token"],
        "grammars": dict(settings.grammars),
    }


def _golden(bundle: Bundle) -> str:
    try:
        return (bundle.path / bundle.manifest.golden.input).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInput(
            f"the golden prompt of {bundle.path.name} cannot be read: {exc}.", hint="Export it again."
        ) from exc
