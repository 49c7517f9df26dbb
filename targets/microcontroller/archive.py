"""Zip files that are the same bytes whenever their contents are."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import boundary


def write_zip(files: Mapping[str, bytes], out: Path) -> None:
    """Write `files`, name -> content, to the archive `out`."""
    with boundary(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)  # of 1980
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
