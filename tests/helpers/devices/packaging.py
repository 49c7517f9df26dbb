"""What makes libraries and apps for Android."""

from __future__ import annotations

from conftest import absent

from edgekit.errors import MissingExtra
from edgekit.targets.android.forms import native
from edgekit.targets.android.forms import tools as android_tools

__all__ = ["tools"]


def tools() -> None:
    """Skip, or fail in CI, where the tools are absent."""
    try:
        for name in ("javac", "java", "aapt2", "apksigner", "keytool", native.COMPILER):
            android_tools.tool(name)
        android_tools.runtime(), android_tools.dexer()
    except MissingExtra as exc:
        absent(str(exc))
