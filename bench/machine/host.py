"""What machine a number was measured on, and whether the machine was busy with something else meanwhile.

Nothing here identifies a person or a machine: no host name, no user, no serial number. Values are None where this
system has no such thing (printed as "not measured"), "not readable" where it has it and this process may not read it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.core import Facts, Json
from edgekit.errors import DISTRIBUTION

#: What must be equal for two reports to come from machines of the same kind.
IDENTITY = ("cpu", "architecture", "cores", "affinity", "quota", "memory", "system")

_UNREADABLE = "not readable"
_LINUX = sys.platform.startswith("linux")


class Times(NamedTuple):
    """Seconds of all cores together since boot: doing work, and taken away by the hypervisor."""

    busy: float
    steal: float


def describe() -> dict[str, Json]:
    """The machine and its present state, JSON-able.

    Returns:
        cpu (model name), architecture, cores (logical), affinity (cores that this process may use), quota (cores that
        its control group may use, None if unlimited), memory (bytes), system, release, kernel, governor, frequency
        (MHz), temperature (degrees Celsius, the hottest sensor), load_average (1 minute), virtualised, pinned (numbers
        of the cores that this process may use), time (UTC), python.
    """
    return {
        "cpu": _cpu(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "affinity": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "quota": _quota(),
        "memory": _memory(),
        "system": platform.system(),
        "release": _release(),
        "kernel": platform.release(),
        "governor": _sysfs("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "frequency": _frequency(),
        "temperature": _temperature(),
        "load_average": load_average(),
        "virtualised": _is_virtual_machine(),
        "pinned": cpu_affinity(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
    }


def state() -> dict[str, Json]:
    """What of the machine changes while it works, JSON-able: frequency (MHz, mean of all cores), temperature (degrees
    Celsius), throttled (how often the processor slowed itself down for heat since boot), load_average, governor, pinned
    (number of cores that this process may use). None or "not readable" as in `describe`."""
    return {
        "frequency": _frequency(),
        "temperature": _temperature(),
        "throttled": _throttle_count(),
        "load_average": load_average(),
        "governor": _sysfs("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "pinned": len(cpu_affinity() or ()) or None,
    }


def cpu_affinity() -> list[int] | None:
    """The numbers of the cores that this process may use; None where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def differences(host: Facts, other: Facts) -> list[str]:
    """The `IDENTITY` keys in which two described hosts differ. Memory counts in whole GiB: kernels reserve a little."""
    return [key for key in IDENTITY if _round_memory(key, host.get(key)) != _round_memory(key, other.get(key))]


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of those of the named distributions that are installed; edgekit's by the name of its command."""
    import importlib.metadata  # 20 ms, which the worker must not pay inside a timed start

    installed: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(DISTRIBUTION if name == "edgekit" else name)
    return installed


def load_average() -> float | None:
    """Processes that wanted a core during the last minute, on average; None where the system does not count them."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def cpu_times() -> Times | None:
    """A reading of /proc/stat, to be subtracted from a later reading; None without /proc/stat. Steps of 10 ms."""
    first = _read("/proc/stat").partition("\n")[0].split()
    if len(first) < 9 or first[0] != "cpu":
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in first[1:9])
    tick = os.sysconf("SC_CLK_TCK")
    return Times((user + nice + system + irq + softirq) / tick, steal / tick)


def busy_warning(
    *,
    cpu: float,
    threads: int,
    cores: int,
    load: float | None = None,
    steal: float | None = None,
    others: float | None = None,
) -> list[str]:
    """Reasons to distrust a measured section because the machine was busy, in words; empty if there are none.

    Args:
        cpu: core-seconds per second that the measured process got. threads: that it was set to use.
        cores: that the machine has.
        load: load average before the start; None if not known, as for the following two.
        steal: core-seconds per second that the hypervisor took away during the section.
        others: core-seconds per second that all other processes used during the section.
    """
    reasons = []
    if cpu < 0.9:
        reasons.append(f"the process had a core for only {cpu:.0%} of the measured time; it was waiting")
    # A neighbour costs us something once it needs more than the cores that we leave free.
    free = max(0, cores - threads)
    if others is not None and others > free + 0.1:
        reasons.append(f"other processes used {others:.1f} of {cores} cores during the measurement")
    if load is not None and load > free + 0.5:
        reasons.append(f"the load average before the start was {load:.1f} on {cores} cores")
    if steal is not None and steal > 0.02:
        reasons.append(f"the hypervisor took away {steal:.0%} of a core during the measurement")
    return reasons


def _round_memory(key: str, value: Any) -> Any:
    return round(value / 2**30) if key == "memory" and isinstance(value, int) else value


def _cpu() -> str | None:
    if sys.platform == "darwin":
        return _command("sysctl", "-n", "machdep.cpu.brand_string")
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model", "Hardware", "cpu model") and value.strip():
            return value.strip()
    return platform.processor() or None


def _quota() -> float | None:
    limit, _, period = _read("/sys/fs/cgroup/cpu.max").strip().partition(" ")
    return int(limit) / int(period) if limit.isdigit() and period.isdigit() else None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _release() -> str | None:
    if _LINUX:
        with contextlib.suppress(OSError):
            return platform.freedesktop_os_release().get("PRETTY_NAME")
        return None
    return platform.mac_ver()[0] or platform.version() or None


def _frequency() -> float | str | None:
    """Mean of all cores, as the scaling driver or else /proc/cpuinfo tells."""
    files = sorted(Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    clocks = [int(text) / 1000 for file in files if (text := _read(str(file)).strip()).isdigit()]
    if not clocks:
        for line in _read("/proc/cpuinfo").splitlines():
            if line.startswith("cpu MHz"):
                with contextlib.suppress(ValueError):
                    clocks.append(float(line.partition(":")[2]))
    return round(sum(clocks) / len(clocks), 1) if clocks else (_UNREADABLE if _LINUX else None)


def _throttle_count() -> int | None:
    counts = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    events = [int(text) for file in counts if (text := _read(str(file)).strip()).isdigit()]
    return sum(events) if events else None


def _temperature() -> float | str | None:
    zones = Path("/sys/class/thermal").glob("thermal_zone*/temp")
    millidegrees = [text for zone in zones if (text := _read(str(zone)).strip()).lstrip("-").isdigit()]
    return max(int(text) for text in millidegrees) / 1000 if millidegrees else (_UNREADABLE if _LINUX else None)


def _is_virtual_machine() -> bool | None:
    """Whether a hypervisor shows itself. False is no proof: a hypervisor may hide."""
    if not _LINUX:
        return None
    if Path("/sys/hypervisor/type").exists():
        return True
    flags = next((line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("flags")), "")
    vendor = _read("/sys/class/dmi/id/sys_vendor").strip()
    return "hypervisor" in flags.split() or vendor in ("QEMU", "Amazon EC2", "Google", "VMware, Inc.", "innotek GmbH")


def _sysfs(path: str) -> str | None:
    return _read(path).strip() or (_UNREADABLE if _LINUX else None)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _command(*words: str) -> str | None:
    import subprocess

    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
