"""Apple's Core AI for iPhones of iOS 27 on, experimental: programs (.aimodel) in fp32, fp16, and int8 weights.

torch -> torch.export -> smaller weights -> coreai-torch -> an asset. Apple's runtime computes it on Linux, too
(`edgekit.runtimes.coreai`). Its converter names constants by hashes that every process seeds anew: the same part has
the same bytes within a process alone.
"""

from __future__ import annotations

from edgekit.common.quiet import quiet
from edgekit.core import Artifact, Encoding
from edgekit.errors import need
from edgekit.exporters.common import options
from edgekit.exporters.common.writer import Request, Writer

__all__ = ["EXPORTER", "CoreaiExporter"]

_OPTIONS = {"compute": options.values("fp16", "fp32")}


class CoreaiExporter(Writer):
    """See `edgekit.core.Exporter`. ``int8`` weights are linear with a scale for every output channel. Parts that must
    stay float (frontends) are fp32. Option of a recipe:

    ``compute``
        of int8: "fp16" (the default, as the neural engine computes), or "fp32".
    """

    name = "coreai"
    precisions = ("fp32", "fp16", "int8")
    extra = "coreai"
    distributions = ("torch", "coreai-torch", "coreai-core", "numpy")
    doctor = "export to Core AI (experimental)"
    rules = _OPTIONS
    demands = ("filled", "plain names", "planned axes", "module")
    #: A recurrence is written out step by step.
    encoding = Encoding(4000, {"": 1600}, 0, channel=2, convolution=2, block=0, rows=True, halves=True)

    def write(self, request: Request) -> list[Artifact]:
        """Write ``PART.aimodel``, a folder, for every part of the model.

        Raises:
            ExportFailed: torch cannot trace a part, or Core AI has no operator for it, which is named.
        """
        self.require()
        from edgekit.exporters.coreai import convert

        return [convert.write(request, part) for part in request.parts]

    def require(self) -> None:
        """See `edgekit.core.Exporter`."""
        with need("coreai", "Exporting to Core AI"), quiet():
            import coreai_torch  # noqa: F401


EXPORTER = CoreaiExporter()
