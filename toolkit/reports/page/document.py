"""Reports as one HTML file that opens anywhere: no network, light and dark, readable on a phone and on paper.

The page is complete without its script, which adds the theme switch and the copy buttons. Its content security policy
allows only this style sheet and this script, by their hashes, because everything in a
report is text from outside. The same reports give the same page, byte for byte.

Layout: warnings; an overview for each machine; the frontier of accuracy, size and speed; cells not measured; then
each model with its cells, and the machines. The other files of this folder draw them.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.core import Report
from edgekit.errors import BadInput
from edgekit.reports.cells import Cell
from edgekit.reports.page.distributions import READING, Density, density
from edgekit.reports.page.elements import Page, short, text
from edgekit.reports.page.entries import Entry, group_cells
from edgekit.reports.page.overview import machines, not_measured, overview, warnings
from edgekit.reports.page.scatter import frontiers
from edgekit.reports.page.section import section
from edgekit.reports.page.style import policy, script, style

#: Most names in the page's title.
_TITLES = 3


def render(reports: Sequence[Report], cells: Sequence[Cell] = ()) -> str:
    """An HTML document of all reports: a section for each; reports of the same model and target are compared.

    Args:
        cells: cells of a matrix without a report; the page lists their reasons.

    Raises:
        BadInput: there is nothing to show.
    """
    if not reports and not cells:
        raise BadInput("there is no report to show.", hint="Make one with: edgekit bench BUNDLE --out report.json")
    page, entries = Page(), [Entry(at, report) for at, report in enumerate(reports, 1)]
    models = group_cells(entries, lambda entry: entry.model)
    frontier = frontiers(page, entries)
    blocks = [
        warnings(entries, cells),
        _block("overview", "Overview", overview(page, entries)) if entries else "",
        _block("frontier", "Accuracy, size and speed", frontier) if frontier else "",
        not_measured(page, cells),
        *(_model(page, at, group, density(entries)) for at, group in enumerate(models, 1)),
        _block("machines", "Machines and versions", machines(entries)) if entries else "",
    ]
    return _document(models, len(cells), _contents(models, bool(frontier), bool(cells)), [b for b in blocks if b])


def _model(page: Page, at: int, group: Sequence[Entry], most: Density) -> str:
    parts = [f'<p class="dim">{READING}</p>'] if at == 1 else []
    first: dict[tuple[str, str], Entry] = {}
    for entry in group:
        base = first.setdefault((text(entry.report.bundle.get("target")), entry.report.fidelity), entry)
        parts.append(section(page, entry, None if base is entry else base, most))
    return _block(f"model-{at}", group[0].model, "\n".join(parts))


def _block(name: str, heading: str, inner: str) -> str:
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{text(heading)}</h2>\n{inner}\n</section>'


def _contents(models: Sequence[Sequence[Entry]], frontier: bool, cells: bool) -> str:
    places = [("overview", "Overview")] if models else []
    places += [("frontier", "Accuracy, size and speed")] if frontier else []
    places += [("not-measured", "Not measured")] if cells else []
    places += [(f"model-{at}", short(group[0].model)) for at, group in enumerate(models, 1)]
    places += [("machines", "Machines")] if models else []
    return "".join(f'<li><a href="#{name}">{text(words)}</a></li>' for name, words in places)


def _document(models: Sequence[Sequence[Entry]], failed: int, contents: str, blocks: Sequence[str]) -> str:
    names = [short(group[0].model) for group in models]
    more = [f"{len(names) - _TITLES} more"] if len(names) > _TITLES else []
    count = sum(len(group) for group in models)
    line = f"{count} cell{'' if count == 1 else 's'} measured, of {len(models)} model{'' if len(models) == 1 else 's'}"
    line += f"; {failed} not measured" if failed else ""
    lines = "\n".join(blocks)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy()}">
<title>edgekit report: {text(", ".join([*names[:_TITLES], *more]) or "nothing measured")}</title>
<style>{style()}</style>
<script>{script()}</script>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<header>
<h1>edgekit report</h1>
<button type="button" id="theme" aria-pressed="false" hidden>Dark</button>
<p class="dim">{line}</p>
</header>
<nav aria-label="Contents"><ul>{contents}</ul></nav>
<main id="main" tabindex="-1">
{lines}
</main>
<p id="status" class="hush" role="status"></p>
</body>
</html>
"""
