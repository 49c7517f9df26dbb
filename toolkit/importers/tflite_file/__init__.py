"""Files of LiteRT: ``model.tflite``."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Importer, ImportOptions, Inspection, Model, Progress


class TfliteFile(Importer):
    """The file goes to LiteRT as it is, and to C if it is int8 throughout."""

    name = "tflite-file"
    form = "model.tflite"
    extra = "run"

    def accepts(self, source: str) -> bool:
        return Path(source).suffix.lower() == ".tflite" and "://" not in source

    def inspect(self, source: str, options: ImportOptions, progress: Progress) -> Inspection:
        from edgekit.importers.tflite_file.declaring import inspect_file

        return inspect_file(source, self.name, options)

    def model(self, source: str, options: ImportOptions, progress: Progress) -> Model:
        from edgekit.importers.tflite_file.declaring import declaration

        return declaration(source, self.name, options, progress)


IMPORTER = TfliteFile()
