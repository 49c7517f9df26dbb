"""What every Gradle module is written with: templates whose names are replaced, and words for its build files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.targets.android.forms.names import Names
from edgekit.targets.common import templates
from edgekit.targets.common.templates import plain

__all__ = ["PHONE", "fill", "module_words", "plain"]

#: The templates, which compile as they are.
PHONE = Path(__file__).parent.parent / "app"
_KOTLIN_PLUGIN = '    id("com.android.library")\n    id("org.jetbrains.kotlin.android")\n'
_PLUGIN = {
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


def module_words(manifest: Any, names: Names, sizes: Mapping[str, int], packed: bool) -> dict[str, str]:
    """What the templates of every module say: names in them -> what they become.

    Args:
        sizes: of the assets, in bytes. packed: whether the weights lie in an asset pack.
    """
    modules = {names.name: names.name, **({f"{names.name}-pack": f"{names.name}/pack"} if packed else {})}
    lines = [f'include(":{item}")\nproject(":{item}").projectDir = file("../{at}")' for item, at in modules.items()]
    words = {
        **templates.words_of(manifest, sum(sizes.values())),
        "edgekit.phone": names.package,
        "edgekit-model": names.name,
        "edgekit_model": names.name.replace("-", "_").replace(".", "_"),
        "0.0.0-version": names.version,
        "edgekit-licence": plain(manifest.licences.get("weights", "unknown")),
        "edgekit-include": "\n".join(["// where this folder lies, seen from the app's", *lines]),
        "edgekit-app": f'    assetPacks += ":{names.name}-pack" // delivered beside the base module\n' * packed,
        "edgekit-plugin": _PLUGIN[names.agp],
    }
    if names.agp == 8:
        words['    id("com.android.library")\n'] = _KOTLIN_PLUGIN
    return words
