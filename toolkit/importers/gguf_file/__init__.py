"""Language models of llama.cpp: ``model.gguf``, of every architecture that its header describes."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Importer, ImportOptions, Inspection, Model, Progress, TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.formats import gguf
from edgekit.formats.gguf.described import shape_of_file
from edgekit.formats.gguf.language import language_model
from edgekit.importers.common.declared import registry_name

#: Weights from which on the reference of a quantized file is the file itself: its half precision would not fit.
_LARGE = 1_000_000_000


class GgufFile(Importer):
    """The file is quantized for llama.cpp, or taken as it is where that loses nothing and is no larger."""

    name = "gguf-file"
    form = "model.gguf"
    extra = "slm"

    def accepts(self, source: str) -> bool:
        return Path(source).suffix.lower() == ".gguf" and "://" not in source

    def inspect(self, source: str, options: ImportOptions, progress: Progress) -> Inspection:
        headers = _headers(source, options)
        shape, first = shape_of_file(headers, Path(source).name), headers[0]
        notes = [f"trained for {shape.context} tokens"]
        if first.file_type:
            notes.append(f"its weights are {first.file_type}")
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
            licence=_licence(first),
            notes=tuple(notes),
        )

    def model(self, source: str, options: ImportOptions, progress: Progress) -> Model:
        headers = _headers(source, options)
        shape = shape_of_file(headers, Path(source).name)
        return language_model(
            registry_name(source),
            shape,
            _licence(headers[0]) or "not stated",
            "",
            hub=str(Path(source).expanduser()),
            reference="f16" if shape.parameters < _LARGE else "source",
            importer=self.name,
        )


def _headers(source: str, options: ImportOptions) -> list[gguf.Gguf]:
    """Of the file and its other shards, in order. Raises BadInput where one is absent or damaged."""
    if options.task not in ("", "text-generation"):
        raise Unsupported(f"a .gguf is for text-generation, not for {options.task!r}.", hint="Leave --task out.")
    if options.axes:
        raise BadInput(
            f"there is no dynamic axis {min(options.axes)!r} in a .gguf: prompts of every length fit its context.",
            hint="Leave --dynamic out.",
        )
    path = Path(source).expanduser()
    _, count = gguf.shard_of(path) or (1, 1)
    stem = path.name.rpartition("-of-")[0][:-6]
    names = [f"{stem}-{i + 1:05}-of-{count:05}.gguf" for i in range(count)] if count > 1 else [path.name]
    for name in names:
        if not (path.parent / name).is_file():
            raise BadInput(f"there is no file {str(path.parent / name)!r}.", hint="Check the path.")
    return [gguf.read(path.parent / name) for name in names]


def _licence(header: gguf.Gguf) -> str:
    stated = header.metadata.get("general.license", "")
    return stated if isinstance(stated, str) else ""


IMPORTER = GgufFile()
