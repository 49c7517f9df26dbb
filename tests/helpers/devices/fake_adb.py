"""A fake ``adb`` that plays a phone: commands run here, in a folder that stands for it, with its answers canned.

It can be told to fail in every way that a phone does. What it cannot play, the real one does (test_adb_loopback.py).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

LOADER = "ld-linux-aarch64.so.1"

#: What the phone says of itself, unless a test says otherwise.
PROPERTIES = {
    "ro.product.manufacturer": "Acme",
    "ro.product.model": "Test 7",
    "ro.soc.manufacturer": "Acme",
    "ro.soc.model": "A1",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a",
}
#: Programs of the phone, as shell scripts: a bench starts hundreds. What dumpsys says goes on with every look at the
#: battery, and stays at the last.
TOOLS = {
    "getprop": 'cat "$here/properties/$1" 2>/dev/null',
    "settings": "echo 0",
    "df": 'echo "/dev/x 99999999 1 $(cat $here/free) 1% /data"',
    "uname": "case $1 in -m) echo aarch64;; *) echo 6.1-android;; esac",
    "dumpsys": """at=$(cat $here/count-heat 2>/dev/null || echo 0)
[ $1 = battery ] && at=$((at + 1)) && echo $at > $here/count-heat
while [ ! -e $here/heat/$at ]; do at=$((at - 1)); done
cat $here/heat/$at""",
}


class FakePhone:
    """A phone for a test.

    Args:
        folder: for its files and its programs. Put `path` in front of PATH.

    Attributes:
        state: JSON that the fake reads at every call: ``devices`` (lines of ``adb devices -l``; None: adb fails),
            ``properties``, ``heat`` (what dumpsys says, one text after another), ``free`` (kilobytes),
            ``unplug_after`` (calls of adb that still work), ``push_fails`` (what push says), ``runner`` (how the
            program fails).
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "host"
        self.root, self.tools = folder / "root", folder / "tools"
        for place in (self.path, self.tools, self.root / "data/local/tmp", self.root / "sys/devices/system/cpu"):
            place.mkdir(parents=True)
        (self.root / "sys/devices/system/cpu/possible").write_text("0-7\n")
        for name, script in TOOLS.items():
            self._write(self.tools / name, f"#!/bin/sh\nhere={folder}\n{script}\n")
        self._write(self.path / "adb", self._python("-IS", "helpers.devices.fake_adb"))
        self._write(folder / "loader", self._python("-IS", "helpers.devices.fake_replay"))
        self.say(
            devices=["SERIAL1 device product:x model:Test_7 transport_id:1"],
            properties=PROPERTIES,
            heat=["Thermal Status: 0\n  level: 90\n  temperature: 300\n  USB powered: true"],
            free=10_000_000,
            unplug_after=None,
            push_fails="",
            runner="",
        )

    def say(self, **changes: object) -> None:
        """Change what it says or does from now on; counts start again."""
        place = self.folder / "state.json"
        known = {**(json.loads(place.read_text()) if place.exists() else {}), **changes}
        place.write_text(json.dumps(known))
        for name in ("properties", "heat"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        for name, value in known["properties"].items():
            (self.folder / "properties" / name).write_text(value)
        for at, text in enumerate(known["heat"], 1):
            (self.folder / "heat" / str(at)).write_text(f"{text}\n")
        (self.folder / "free").write_text(str(known["free"]))
        for counter in self.folder.glob("count-*"):
            counter.unlink()

    def clusters(self, clocks: Mapping[str, int]) -> None:
        """Cores -> their highest clock in kHz."""
        for number, (cores, most) in enumerate(clocks.items()):
            policy = self.root / f"sys/devices/system/cpu/cpufreq/policy{number}"
            policy.mkdir(parents=True, exist_ok=True)
            (policy / "related_cpus").write_text(f"{cores}\n")
            for name in ("cpuinfo_max_freq", "scaling_max_freq"):
                (policy / name).write_text(f"{most}\n")

    @property
    def place(self) -> Path:
        """edgekit's folder on it."""
        return self.root / "data/local/tmp/edgekit"

    def files(self) -> list[str]:
        """What is in edgekit's folder, but for the store's files."""
        return sorted(str(path.relative_to(self.place)) for path in self.place.rglob("*") if len(path.name) != 64)

    def calls(self) -> list[list[str]]:
        """What adb was asked for, in order."""
        log = self.folder / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def _python(self, options: str, module: str) -> str:
        start = f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\nfrom {module} import main\n"
        return f"#!{sys.executable} {options}\n{start}sys.exit(main({str(self.folder)!r}))\n"

    def _write(self, place: Path, text: str) -> None:
        place.write_text(text)
        place.chmod(place.stat().st_mode | stat.S_IXUSR)


def counted(folder: Path, name: str) -> int:
    """How often this was called, this time included."""
    place = folder / f"count-{name}"
    number = int(place.read_text()) + 1 if place.exists() else 1
    place.write_text(str(number))
    return number


def main(folder: str) -> int:
    """The fake adb."""
    here = Path(folder)
    return _adb(here, json.loads((here / "state.json").read_text()), sys.argv[1:])


def _adb(here: Path, state: dict[str, object], asked: list[str]) -> int:
    with (here / "log").open("a") as log:
        log.write(json.dumps(asked) + "\n")
    if asked[:1] == ["devices"]:
        if state["devices"] is None:
            sys.exit("error: cannot connect to daemon")
        print("List of devices attached", *list(state["devices"]), sep="\n")  # type: ignore[call-overload]
        return 0
    serial, what, *rest = asked[1:]
    if state["unplug_after"] is not None and counted(here, "adb") > int(str(state["unplug_after"])):
        print(f"adb: error: device '{serial}' not found", file=sys.stderr)
        return 1
    root = here / "root"
    if what == "shell":
        command = rest[0].replace("/data/local/tmp", f"{root}/data/local/tmp").replace("/sys/", f"{root}/sys/")
        environment = {"PATH": f"{here / 'tools'}:/usr/bin:/bin", "FAKE_PHONE": str(here)}
        return subprocess.run(["sh", "-c", command], env=environment, check=False).returncode
    if what == "push" and state["push_fails"]:
        print(f"adb: error: failed to copy: {state['push_fails']}", file=sys.stderr)
        return 1
    source, place = (rest[0], f"{root}{rest[1]}") if what == "push" else (f"{root}{rest[0]}", rest[1])
    shutil.copyfile(source, place)
    if what == "pull" and state["runner"] == "cut while pulled":
        os.truncate(place, os.path.getsize(place) // 2)  # noqa: PTH202
    return 0
