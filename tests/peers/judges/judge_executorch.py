"""ExecuTorch: its bundles beside fp32."""

from __future__ import annotations

from importlib.metadata import version

from asked import answer, called

from edgekit.exporters.executorch import EXPORTER

NAME = "ExecuTorch"
WHAT = "ExecuTorch {version} (XNNPACK), native; compared with fp32, for it runs these bundles here anyway"
FORMS = ("android-executorch",)
FILES = (".pte",)
TIMEOUT = 300

if __name__ == "__main__":
    answer(version("executorch"), lambda question: called(EXPORTER.load(question.file, 1), question), own="executorch")
