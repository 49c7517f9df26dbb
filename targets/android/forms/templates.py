"""What every Gradle module is written with: templates whose names are replaced, and words for its build files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from edgekit.targets.common import templates
from edgekit.targets.common.templates import plain

__all__ = ["KOTLIN_PLUGIN", "PHONE", "PLUGIN", "fill", "include", "plain"]

#: The templates, which compile as they are.
PHONE = Path(__file__).parent.parent / "app"
KOTLIN_PLUGIN = '    id("com.android.library")\n    id("org.jetbrains.kotlin.android")\n'
PLUGIN = {
    9: "The build file is for version 9 of the Android Gradle plugin, which compiles Kotlin by itself; for version 8 "
    "package with `-o agp=8`.",
    8: "The build file is for version 8 of the Android Gradle plugin, beside version 2 of the Kotlin plugin; for "
    "version 9 package with `-o agp=9`.",
}


def fill(template: str, out: Path, words: Mapping[str, str]) -> None:
    """Copy a template with its names replaced."""
    text = templates.fill(PHONE / template, out, words)
    # Imports stay in order, whatever the package is called.
    text = re.sub(r"(?:^import .*\n)+", lambda run: "".join(sorted(run[0].splitlines(keepends=True))), text, flags=re.M)
    out.write_text(text, encoding="utf-8")


def include(name: str, packed: bool) -> str:
    """Lines for the app's settings."""
    modules = {name: name, f"{name}-pack": f"{name}/pack"} if packed else {name: name}
    lines = [f'include(":{item}")\nproject(":{item}").projectDir = file("../{at}")' for item, at in modules.items()]
    return "\n".join(["// where this folder lies, seen from the app's", *lines])
