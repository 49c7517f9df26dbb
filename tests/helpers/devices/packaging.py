"""What makes libraries and apps for Android, and the emulated phone that adb is connected to."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import absent

from edgekit.errors import MissingExtra
from edgekit.targets.android.forms import native
from edgekit.targets.android.forms import tools as android_tools

__all__ = ["loopback_command", "tools"]

_HERE = Path(__file__).parents[2]
_PHONE = _HERE.parent / "build" / "phone"


def tools() -> None:
    """Skip, or fail in CI, where the tools are absent."""
    try:
        for name in ("javac", "java", "aapt2", "apksigner", "keytool", native.COMPILER):
            android_tools.tool(name)
        android_tools.runtime(), android_tools.dexer()
    except MissingExtra as exc:
        absent(str(exc))


def loopback_command() -> list[str]:
    """The command that runs another one beside an emulated phone. Skips, or fails in CI, where there is none."""
    if not (_PHONE / ".complete-1").exists():
        absent("there is no emulated phone: make adb-tools")
    command = ["sh", str(_HERE / "phone" / "loopback.sh"), str(_PHONE)]
    done = subprocess.run([*command, "adb", "shell", "uname -m"], capture_output=True, text=True, timeout=120)
    if done.stdout.strip() != "aarch64":
        absent(f"the emulated phone does not start here ({done.stderr.strip()[-200:]}); see make adb-tools")
    return command
