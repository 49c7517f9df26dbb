"""Facts about a phone: processor, system, memory, clusters of cores, heat and battery.

Everything is optional: phones differ in what the shell may read. What cannot be read is None, not a guess. Nothing that
identifies a person or a phone is kept: no serial number, no name that the owner gave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgekit import core
from edgekit.targets.android.adb.phone import Phone, clean

_PROPERTIES = (
    *("ro.product.manufacturer", "ro.product.model", "ro.soc.manufacturer", "ro.soc.model", "ro.board.platform"),
    *("ro.hardware", "ro.build.version.release", "ro.build.version.sdk", "ro.product.cpu.abilist"),
    *("ro.kernel.qemu", "ro.boot.qemu", "ro.edgekit.emulated"),
)
_ASK = f"""
for p in {" ".join(_PROPERTIES)}; do echo "$p=$(getprop $p)"; done
echo "abi=$(getprop ro.product.cpu.abi)"
echo "memory=$(grep MemTotal /proc/meminfo)"
echo "kernel=$(uname -r)"
echo "machine=$(uname -m)"
echo "implementer=$(grep -m1 implementer /proc/cpuinfo)"
echo "possible=$(cat /sys/devices/system/cpu/possible)"
for d in /sys/devices/system/cpu/cpufreq/policy*; do
  echo "policy=$(cat $d/related_cpus)|$(cat $d/cpuinfo_max_freq)"
done
"""
#: One line each of what changes while a phone works.
_ASK_HEAT = """
dumpsys battery | grep -E "^ *(level|temperature|[A-Z][A-Za-z]* powered):"
dumpsys thermalservice | grep -m1 "Thermal Status"
echo "saver=$(settings get global low_power)"
for z in /sys/class/thermal/thermal_zone*; do
  t=$(cat $z/type); case "$t" in *cpu*|*CPU*|*soc*) echo "zone=$(cat $z/temp)";; esac
done
for d in /sys/devices/system/cpu/cpufreq/policy*; do
  echo "clock=$(cat $d/scaling_max_freq)|$(cat $d/cpuinfo_max_freq)"
done
"""


@dataclass(frozen=True)
class Cluster:
    """Cores that share a clock: their numbers, and its maximum in kHz (None where it cannot be read)."""

    cores: tuple[int, ...]
    most: int | None

    @property
    def name(self) -> str:
        """Such as ``"cores 4-7"``."""
        first, last = self.cores[0], self.cores[-1]
        if self.cores != tuple(range(first, last + 1)):
            return "cores " + ",".join(map(str, self.cores))
        return f"cores {first}-{last}" if last > first else f"core {first}"


@dataclass(frozen=True)
class PhoneFacts:
    """What does not change while it works.

    Attributes:
        abis: such as ``("arm64-v8a",)``, native first. cores: how many. clusters: slowest first; empty where
            they cannot be read. emulated: no processor of its own stands behind it.
        host: the same for a report.
    """

    abis: tuple[str, ...]
    cores: int
    clusters: tuple[Cluster, ...]
    emulated: bool
    host: core.Facts


@dataclass(frozen=True)
class Heat:
    """What changes while it works.

    Attributes:
        status: of Android's thermal service: 0 none, 1 light, 2 moderate, 3 severe, and worse.
        processor, battery: hottest sensor and the battery, degrees Celsius. level: of the battery, percent.
        powered: something charges it. saver: it saves power. clock: share of the highest clock that is allowed now,
            the lowest of all clusters.
    """

    status: int | None
    processor: float | None
    battery: float | None
    level: int | None
    powered: bool | None
    saver: bool | None
    clock: float | None


def facts(phone: Phone) -> PhoneFacts:
    """Ask the phone what it is. Raises DeviceFailed where it is not there any more."""
    properties = _properties(phone.shell(_ASK, "the phone was asked what it is").out)
    first = {name: values[0] for name, values in properties.items()}

    def get(name: str) -> str | None:
        return clean(first.get(name, "")) or None

    abis = tuple(filter(None, (get("ro.product.cpu.abilist") or get("abi") or "").split(",")))
    clusters = _clusters(properties.get("policy", []))
    cores = _count(first.get("possible", "")) or sum(len(cluster.cores) for cluster in clusters) or 1
    maker, model = get("ro.product.manufacturer"), get("ro.product.model")
    soc = " ".join(filter(None, (get("ro.soc.manufacturer"), get("ro.soc.model")))) or get("ro.board.platform")
    version = get("ro.build.version.release")
    name = " ".join(filter(None, (maker, model))) or "a phone"
    emulated = _is_emulated(first)
    return PhoneFacts(
        abis,
        cores,
        clusters,
        emulated,
        {
            "cpu": f"{name}, {soc or 'processor not readable'}" + (" (emulated)" if emulated else ""),
            "architecture": get("machine"),
            "cores": cores,
            "affinity": None,
            "quota": None,
            "memory": 1024 * _number(first.get("memory", "")) or None,
            "system": "Android",
            "release": f"Android {version or 'of unknown version'}",
            "kernel": get("kernel"),
            "sdk": get("ro.build.version.sdk"),
            "soc": soc,
            "abi": abis[0] if abis else None,
            "clusters": [{"cores": list(cluster.cores), "kHz": cluster.most} for cluster in clusters],
        },
    )


def _is_emulated(properties: Mapping[str, str]) -> bool:
    """Whether an emulator plays the processor: Android's own says so, as does edgekit's; QEMU has no maker of chips."""
    flags = ("ro.kernel.qemu", "ro.boot.qemu", "ro.edgekit.emulated")
    return (
        any(properties.get(flag, "").strip() == "1" for flag in flags)
        or properties.get("ro.hardware", "").strip() in ("goldfish", "ranchu", "cutf_cvm")
        or re.search(r":\s*0x0*$", properties.get("implementer", "")) is not None
        or not properties.get("machine", "").startswith(("aarch64", "arm"))
    )


def heat(phone: Phone) -> Heat:
    """How hot it is and what its battery does. Raises DeviceFailed where it is not there any more."""
    text = phone.shell(_ASK_HEAT, "the phone was asked how hot it is").out
    readings = _properties(text)
    rows = dict(line.split(":", 1) for line in map(str.strip, text.splitlines()) if ":" in line and "=" not in line)
    zones = [
        value / 1000 if value > 1000 else value for value in map(_parse_number, readings.get("zone", [])) if value > 0
    ]
    clocks = [tuple(map(_number, line.split("|", 1))) for line in readings.get("clock", []) if "|" in line]
    shares = [now / most for now, most in clocks if now and most]
    powered = [value.strip() == "true" for name, value in rows.items() if name.endswith("powered")]
    saver = readings.get("saver", [""])[0].strip()
    return Heat(
        status=_or_none(rows.get("Thermal Status")),
        processor=max(zones, default=None),
        battery=None if (tenths := _or_none(rows.get("temperature"))) is None else tenths / 10,
        level=_or_none(rows.get("level")),
        powered=any(powered) if powered else None,
        saver=saver == "1" if saver in ("0", "1") else None,
        clock=min(shares, default=None),
    )


def _properties(text: str) -> dict[str, list[str]]:
    """Lines ``name=value``; a name may come several times."""
    properties: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, mark, value = line.strip().partition("=")
        if mark:
            properties.setdefault(name, []).append(value)
    return properties


def _clusters(policies: list[str]) -> tuple[Cluster, ...]:
    clusters = []
    for line in policies:
        cores, _, most = line.partition("|")
        numbers = tuple(sorted(int(core) for core in cores.split() if core.isdigit() and int(core) < 1024))
        if numbers:
            clusters.append(Cluster(numbers, _number(most) or None))
    return tuple(sorted(clusters, key=lambda cluster: (cluster.most or 0, cluster.cores)))


def _count(possible: str) -> int:
    """Cores of a list such as ``0-7`` or ``0-3,6``."""
    spans = re.findall(r"(\d{1,4})(?:-(\d{1,4}))?", possible)
    return sum(int(last or first) - int(first) + 1 for first, last in spans)


def _number(text: str) -> int:
    """The first whole number in `text`; 0 where there is none."""
    match = re.search(r"\d{1,15}", text)
    return int(match[0]) if match else 0


def _parse_number(text: str) -> float:
    match = re.search(r"-?\d{1,9}", text)
    return float(match[0]) if match else 0.0


def _or_none(text: str | None) -> int | None:
    match = re.search(r"-?\d{1,9}", text or "")
    return int(match[0]) if match else None
