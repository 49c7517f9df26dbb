"""Graphs of ONNX: ``model.onnx``."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Importer, ImportOptions, Inspection, Model, Progress


class OnnxFile(Importer):
    """The file is written as ONNX as it is; for the other formats its graph becomes a torch module."""

    name = "onnx-file"
    form = "model.onnx"
    extra = "export"

    def accepts(self, source: str) -> bool:
        return Path(source).suffix.lower() == ".onnx" and "://" not in source

    def inspect(self, source: str, options: ImportOptions, progress: Progress) -> Inspection:
        from edgekit.importers.onnx_file.declaring import inspect_file

        return inspect_file(source, self.name, options)

    def model(self, source: str, options: ImportOptions, progress: Progress) -> Model:
        from edgekit.importers.onnx_file.declaring import declaration

        return declaration(source, self.name, options, progress)


IMPORTER = OnnxFile()
