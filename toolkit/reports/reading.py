"""`report`: read files of `edgekit bench`, and write them as an HTML page."""

from __future__ import annotations

from pathlib import Path

from edgekit.common.files import write_whole
from edgekit.reports import cells
from edgekit.reports.cells import Matrix


def report(*files: str | Path, html: str | Path | None = None) -> list[Matrix]:
    """The matrices in `files`; a single report is a matrix with a single cell.

    Args:
        html: also write them to this file, as a page without network requests.

    Raises:
        BadInput: a file is not an edgekit report.
    """
    matrices = [cells.load(Path(file)) for file in files]
    if html is not None:
        from edgekit.reports.page import document

        every = [cell for matrix in matrices for cell in matrix.cells]
        reports = [cell.report for cell in every if cell.report is not None]
        page = document.render(reports, [cell for cell in every if cell.report is None])
        write_whole(Path(html), page.encode())
    return matrices
