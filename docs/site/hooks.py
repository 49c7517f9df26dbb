"""MkDocs' hooks: the pages that are generated, and their places in the navigation."""

from __future__ import annotations

from typing import Any

import command_pages
import figure_pages
import measured
import model_pages
import python_pages
import task_pages
from mkdocs.structure.files import File

from edgekit.registry import names


def on_config(config: Any) -> Any:
    """Fill the sections of the navigation that depend on the registry."""
    filled = {
        "MODELS": ["models/index.md", *(f"models/{name}.md" for name in names("models"))],
        "TASKS": ["tasks/index.md", *(f"tasks/{name}.md" for name in names("tasks"))],
        "COMMANDS": ["reference/cli/index.md", *(f"reference/cli/{verb}.md" for verb in command_pages.verbs())],
        "PYTHON": [f"reference/python/{name}.md" for name in python_pages.PAGES],
    }
    config.nav = _filled(config.nav, filled)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    for path, text in _pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def _filled(nav: Any, filled: dict[str, list[str]]) -> Any:
    if isinstance(nav, list):
        return [_filled(item, filled) for item in nav]
    if isinstance(nav, dict):
        return {title: _filled(item, filled) for title, item in nav.items()}
    return filled.get(nav, nav)


def _pages() -> dict[str, str]:
    rows = measured.rows()
    pages = {"figures.md": figure_pages.page(rows)}
    pages |= {"models/index.md": model_pages.overview(rows), "tasks/index.md": task_pages.overview()}
    for name in names("models"):
        pages[f"models/{name}.md"] = model_pages.page(name, [row for row in rows if row.model == name])
    for name in names("tasks"):
        pages[f"tasks/{name}.md"] = task_pages.page(name)
    pages["reference/cli/index.md"] = command_pages.overview()
    for verb, command in command_pages.verbs().items():
        pages[f"reference/cli/{verb}.md"] = command_pages.page(verb, command)
    for name in python_pages.PAGES:
        pages[f"reference/python/{name}.md"] = python_pages.page(name)
    return pages
