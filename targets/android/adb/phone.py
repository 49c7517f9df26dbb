"""Android phones over the user's own ``adb``: which are connected, and commands and files to and from a phone.

The only library is the program ``adb`` itself. What a phone says is hostile until checked: output is cut to a size,
names are cleaned before people see them, and a command has ended only when its own mark says so, since a cable can be
pulled at any byte.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from edgekit.errors import BadInput, DeviceFailed, MissingExtra

INSTALL = "Install it with: apt install adb (or Android's platform-tools, with adb on the PATH)"
_ENABLE = "Switch on USB debugging in the phone's developer options, connect it, accept its question, then: adb devices"
_AGAIN = "Check the cable, then run the same command again: it clears away what was left on the phone."
_MARK = "edgekit-ended:"
_MOST_OUTPUT = 4_000_000
#: Seconds for commands that do next to nothing.
_SOON = 30.0


class Row(NamedTuple):
    """A line of ``adb devices``: serial number, state (``device`` where it can be used), and the model if known."""

    serial: str
    state: str
    model: str


class Said(NamedTuple):
    """What a command on the phone wrote, and its exit code."""

    out: str
    err: str
    code: int


def clean(text: str, most: int = 200) -> str:
    """Text from a phone, fit for a terminal: no control characters, not too long."""
    return "".join(letter if letter.isprintable() else "?" for letter in text.strip())[:most]


def program() -> str:
    """The path of ``adb``. Raises MissingExtra where there is none."""
    homes = [Path(os.environ[name]) for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT") if os.environ.get(name)]
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *(str(home / "platform-tools") for home in homes)])
    adb = shutil.which("adb", path=path)
    if adb is None:
        raise MissingExtra("measuring on a phone needs adb, which is not installed.", hint=INSTALL)
    return adb


def list_devices(adb: str) -> list[Row]:
    """The devices that adb knows, in whatever state."""
    said = _run([adb, "devices", "-l"], _SOON)
    if said.code:
        raise DeviceFailed(f"adb does not answer: {_reason(said)}.", hint="Try: adb kill-server && adb devices")
    rows = []
    for line in said.out.splitlines():
        words = line.split()
        if len(words) < 2 or line.startswith(("List of", "*")):
            continue
        properties = dict(word.split(":", 1) for word in words[2:] if ":" in word)
        status = "no permissions" if words[1:3] == ["no", "permissions"] else words[1]
        rows.append(Row(words[0], clean(status), clean(properties.get("model", ""))))
    return rows


def choose(address: str) -> Phone:
    """The phone with the serial number `address`, or the only phone.

    Raises:
        MissingExtra: no adb. BadInput: several phones, and none was named.
        DeviceFailed: no phone, not that phone, or it does not let itself be used.
    """
    adb = program()
    rows, wanted = list_devices(adb), address or os.environ.get("ANDROID_SERIAL", "")
    listed = ", ".join(f"{clean(row.serial)} ({row.state})" for row in rows) or "none"
    if wanted:
        rows = [row for row in rows if row.serial == wanted]
        if not rows:
            raise DeviceFailed(f"no phone {clean(wanted)} is connected; connected: {listed}.", hint=_ENABLE)
    if not rows:
        raise DeviceFailed("no phone is connected.", hint=_ENABLE)
    if len(rows) > 1:
        raise BadInput(
            f"several phones are connected: {listed}.", hint=f"Name one: --device adb:{clean(rows[0].serial)}"
        )
    if rows[0].state != "device":
        raise DeviceFailed(f"the phone {clean(rows[0].serial)} is {rows[0].state}.", hint=_remedy(rows[0].state))
    return Phone(adb, rows[0].serial)


def _remedy(status: str) -> str:
    return {
        "unauthorized": "Unlock the phone and accept its question whether this computer may debug it.",
        "offline": "Unplug and plug it in again, or: adb reconnect offline",
        "no permissions": "This user may not open the USB device: install Android's udev rules, or see adb devices -l",
    }.get(status, "Wait until the phone has started, then: adb devices")


def state() -> tuple[bool, str, str]:
    """Whether a phone is ready, the devices that adb lists, and what to do otherwise. Starts no server of adb."""
    try:
        adb = program()
    except MissingExtra as exc:
        return False, "", exc.hint
    port = os.environ.get("ANDROID_ADB_SERVER_PORT", "5037")
    try:
        socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
    except (OSError, ValueError):
        return False, "adb", "connect a phone with USB debugging, then: adb devices"
    try:
        rows = list_devices(adb)
    except DeviceFailed as exc:
        return False, "adb", exc.message
    devices = ", ".join(["adb", *(f"{row.model or clean(row.serial)} ({row.state})" for row in rows)])
    ready = any(row.state == "device" for row in rows)
    other = next((_remedy(row.state) for row in rows), "connect a phone with USB debugging, then: adb devices")
    return ready, devices, "" if ready else other


class Phone:
    """One phone.

    Args:
        adb: path of the program. serial: of the phone.
    """

    def __init__(self, adb: str, serial: str) -> None:
        self.serial = serial
        self._adb = [adb, "-s", serial]

    def shell(self, command: str, what: str, timeout: float = _SOON) -> Said:
        """Run a command line of the phone's shell, and wait for it.

        Args:
            what: is being done, for messages.

        Raises:
            DeviceFailed: the connection broke before the command's end, or it did not end within `timeout` seconds.
        """
        said = _run([*self._adb, "shell", f"( {command}\n); echo {_MARK}$?"], timeout)
        out, mark, code = said.out.rpartition(_MARK)
        if not mark or not code.strip().isdigit():
            raise self._phone_error(said, what)
        return Said(out, said.err, int(code))

    def push(self, file: Path, place: str) -> None:
        """Copy a file there. Raises DeviceFailed where it did not arrive."""
        said = _run([*self._adb, "push", str(file), place], 60 + file.stat().st_size / 500_000)
        if said.code:
            raise self._phone_error(said, f"{file.name} was copied to the phone")

    def pull(self, place: str, file: Path, most: int) -> None:
        """Copy a file of at most `most` bytes here, and compare it with the phone's own hash of it.

        Raises:
            DeviceFailed: it is too large, did not arrive, or arrived otherwise.
        """
        facts = self.shell(f"wc -c < {place} && sha256sum {place}", "the results were looked at").out.split()
        if len(facts) < 2 or not facts[0].isdigit():
            raise DeviceFailed("the phone has no results where they should be.", hint=_AGAIN)
        if int(facts[0]) > most:
            raise DeviceFailed(f"the phone's results are {facts[0]} bytes large; at most {most} make sense.")
        said = _run([*self._adb, "pull", place, str(file)], 60 + most / 500_000)
        if said.code:
            raise self._phone_error(said, "results were copied from the phone")
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != facts[1]:
            raise DeviceFailed("the phone's results arrived cut off or damaged.", hint=_AGAIN)

    def _phone_error(self, said: Said, what: str) -> DeviceFailed:
        reason = _reason(said)
        if "No space left" in said.err + said.out:
            return DeviceFailed(
                f"the phone is full: there was no space left while {what}.",
                hint="Delete something on the phone, then run the same command again.",
            )
        if "unauthorized" in reason:
            return DeviceFailed(f"the phone does not allow it any more ({reason}).", hint=_remedy("unauthorized"))
        return DeviceFailed(f"the connection to the phone was lost while {what}: {reason}.", hint=_AGAIN)


def _reason(said: Said) -> str:
    """The last line of what adb complained about."""
    lines = [line for text in (said.err, said.out) for line in text.splitlines() if line.strip()]
    return clean(lines[0].removeprefix("adb: ").removeprefix("error: ")).rstrip(".") if lines else f"exit {said.code}"


def _run(command: Sequence[str], timeout: float) -> Said:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise DeviceFailed(f"the phone did not answer within {timeout:.0f} s.", hint=_AGAIN) from exc
        except OSError as exc:
            raise MissingExtra(f"adb could not be started: {exc.strerror}.", hint=INSTALL) from exc
        return Said(_read(out), _read(err), done.returncode)


def _read(file: IO[bytes]) -> str:
    """The end of what was written: there the mark is."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _MOST_OUTPUT))
    return file.read(_MOST_OUTPUT).decode("utf-8", errors="replace")
