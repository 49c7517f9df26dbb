"""Language models of llama.cpp: ``model.gguf``, on this machine or at an address, of every architecture that its header
describes."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Importer, ImportOptions, Inspection, Model, Progress, TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.formats import gguf
from edgekit.formats.gguf.described import shape_of_file
from edgekit.formats.gguf.language import language_model
from edgekit.importers.common.declared import registry_name
from edgekit.importers.gguf_file import remote

#: Weights from which on the reference of a quantized file is the file itself: its half precision would not fit.
_LARGE = 1_000_000_000


class GgufFile(Importer):
    """The file is quantized for llama.cpp, or taken as it is where that loses nothing and is no larger."""

    name = "gguf-file"
    form = "model.gguf, hf://ORG/MODEL:q4_k_m or https://…/model.gguf"
    extra = "slm"

    def accepts(self, source: str) -> bool:
        return remote.accepts(source) if "://" in source else Path(source).suffix.lower() == ".gguf"

    def inspect(self, source: str, options: ImportOptions, progress: Progress) -> Inspection:
        headers, licence = _headers(source, options, progress)
        shape, first = shape_of_file(headers, _last_component(source)), headers[0]
        notes = [f"trained for {shape.context} tokens"]
        if first.file_type:
            notes.append(f"its weights are {first.file_type}, {sum(header.size for header in headers) / 1e6:.0f} MB")
        if "tokenizer.chat_template" not in first.metadata:
            notes.append("it has no chat template: it goes on with the prompt as it stands")
        return Inspection(
            source=source,
            kind=self.name,
            architecture=shape.architecture,
            tasks=("text-generation",),
            inputs=(TensorSpec("tokens", "int32", ("tokens",)),),
            outputs=(TensorSpec("logits", "float32", ("tokens", shape.vocabulary)),),
            parameters=shape.parameters,
            licence=licence,
            notes=tuple(notes),
        )

    def model(self, source: str, options: ImportOptions, progress: Progress) -> Model:
        headers, licence = _headers(source, options, progress)
        shape = shape_of_file(headers, _last_component(source))
        return language_model(
            registry_name(_last_component(source)),
            shape,
            licence or "not stated",
            "",
            hub=source if "://" in source else str(Path(source).expanduser()),
            reference="f16" if shape.parameters < _LARGE else "source",
            importer=self.name,
        )


def _headers(source: str, options: ImportOptions, progress: Progress) -> tuple[list[gguf.Gguf], str]:
    """Of the file and its other shards, in order; and the licence. Raises BadInput where one is absent or damaged."""
    if options.task not in ("", "text-generation"):
        raise Unsupported(f"a .gguf is for text-generation, not for {options.task!r}.", hint="Leave --task out.")
    if options.axes:
        raise BadInput(
            f"there is no dynamic axis {min(options.axes)!r} in a .gguf: prompts of every length fit its context.",
            hint="Leave --dynamic out.",
        )
    if "://" in source:
        held, licence = remote.headers(source, options.offline, progress)
        return held, _licence(held[0]) or licence
    path = Path(source).expanduser()
    for name in gguf.shards_of(path.name):
        if not (path.parent / name).is_file():
            raise BadInput(f"there is no file {str(path.parent / name)!r}.", hint="Check the path.")
    held = [gguf.read(path.parent / name) for name in gguf.shards_of(path.name)]
    return held, _licence(held[0])


def _last_component(source: str) -> str:
    """The name of a file or a repository, without what an address may carry behind it."""
    return source.partition("?")[0].rstrip("/").rpartition("/")[2]


def _licence(header: gguf.Gguf) -> str:
    stated = header.metadata.get("general.license", "")
    return stated if isinstance(stated, str) else ""


IMPORTER = GgufFile()
