"""The Helium kernels in an emulated Cortex-M55, over random shapes: right to the bit, within their memory."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

import edgekit.exporters.c as c_exporter
from edgekit.exporters.c.layouts.convolution import Axis, Convolution
from edgekit.exporters.c.layouts.helium import scratch_conv_2d, scratch_depthwise_conv_2d
from edgekit.targets.microcontroller.emulator.qemu import run
from edgekit.targets.microcontroller.emulator.toolchain import MACHINES, compiler_of
from edgekit.targets.microcontroller.firmware import SOURCES

pytestmark = pytest.mark.thorough

KERNELS = Path(str(c_exporter.__file__)).parent / "kernels"
M55 = MACHINES["cortex-m55"]
CASES = 30
#: The most values of a tensor, and of scratch, that the program has room for.
_MOST, _MOST_SCRATCH = 190_000, 65_536


@pytest.fixture(scope="module")
def tools() -> None:
    """The compiler and the emulator. Without them a test is skipped; in CI (environment variable CI) it fails."""
    missing = [name for name in ("arm-none-eabi-gcc", "qemu-system-arm") if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} not found, and CI is set: make firmware-tools")
    if missing:
        pytest.skip(f"{', '.join(missing)} not found; install with: make firmware-tools")


def axis(rng: random.Random, kernel: int, outputs: int) -> tuple[Axis, int]:
    """A random convolution along one axis, and its padding before."""
    stride = rng.choice([1, 1, 1, 2, 3])
    dilation = rng.choice([1, 1, 1, 2, 3])
    reach = (outputs - 1) * stride + (kernel - 1) * dilation + 1
    padding = rng.choice([0, 0, rng.randint(0, (kernel - 1) * dilation)])
    inputs = max(reach - padding + rng.randint(0, stride - 1), 1)
    return Axis(inputs, outputs, kernel, stride, dilation), max(reach - inputs, 0) // 2


def geometry(height: Axis, width: Axis, top: int, left: int, channels: int) -> dict[str, int]:
    sides = {"height": height, "width": width}
    members = {f"{name}_{side}": getattr(a, name) for side, a in sides.items() for name in Axis._fields}
    return {**members, "pad_top": top, "pad_left": left, "input_channels": channels}


def convolution(rng: random.Random) -> tuple[dict[str, int], int]:
    """Members of a random layer, and its scratch."""
    one_tap = rng.random() < 0.3
    kernels = (1, 1) if one_tap else (rng.randint(1, 5), rng.randint(1, 5))
    channels = rng.choice([rng.randint(1, 4), rng.randint(1, 70), 16 * rng.randint(1, 5)])
    height, top = axis(rng, kernels[0], rng.randint(1, 9))
    width, left = axis(rng, kernels[1], rng.choice([rng.randint(1, 17), rng.randint(1, 17), rng.randint(18, 90)]))
    outputs = rng.randint(1, 70)
    scratch = scratch_conv_2d(Convolution(height, width, channels, outputs))
    sizes = (
        height.input * width.input * channels,
        height.output * width.output * outputs,
        outputs * height.kernel * width.kernel * channels,
    )
    if max(sizes) > _MOST or scratch > _MOST_SCRATCH:
        return convolution(rng)
    return {**geometry(height, width, top, left, channels), "output_channels": outputs}, scratch


def depthwise(rng: random.Random) -> tuple[dict[str, int], int]:
    kernels = (3, 3) if rng.random() < 0.4 else (rng.randint(1, 6), rng.randint(1, 6))
    multiplier = rng.choice([1, 1, 1, 2, 3])
    height, top = axis(rng, kernels[0], rng.randint(1, 9))
    width, left = axis(rng, kernels[1], rng.choice([rng.randint(1, 13), rng.randint(14, 50)]))
    channels = rng.choice([rng.randint(1, 20), rng.randint(1, 70), 16])
    scratch = scratch_depthwise_conv_2d(Convolution(height, width, channels, multiplier))
    sizes = (height.input * width.input * channels, height.output * width.output * channels * multiplier)
    if max(sizes) > _MOST or scratch > _MOST_SCRATCH:
        return depthwise(rng)
    return {**geometry(height, width, top, left, channels), "depth_multiplier": multiplier}, scratch


def dense(rng: random.Random) -> dict[str, int]:
    return {"rows": rng.choice([1, 1, 3]), "inputs": rng.randint(1, 300), "outputs": rng.randint(1, 60)}


def far(outputs: int) -> tuple[dict[str, int], int]:
    """A convolution whose pixels lie further apart than 16-bit offsets reach."""
    height, width = Axis(1, 1, 1), Axis(19, 19, 1)
    members = {**geometry(height, width, 0, 0, 2), "output_channels": outputs}
    return members, scratch_conv_2d(Convolution(height, width, 2, outputs))


def header(rng: random.Random) -> str:
    """Tables of layers and of their scratch."""
    convolutions = [far(9_500), *(convolution(rng) for _ in range(CASES - 1))]
    depthwises = [depthwise(rng) for _ in range(CASES)]
    return "\n".join(
        [
            f"enum {{ CASES = {CASES} }};",
            table("ek_conv_2d_layer", "convolutions", [members for members, _ in convolutions]),
            numbers("convolution_scratch", [scratch for _, scratch in convolutions]),
            table("ek_depthwise_conv_2d_layer", "depthwise", [members for members, _ in depthwises]),
            numbers("depthwise_scratch", [scratch for _, scratch in depthwises]),
            table("ek_fully_connected_layer", "fully_connected", [dense(rng) for _ in range(CASES)]),
        ]
    )


def table(kind: str, name: str, rows: list[dict[str, int]]) -> str:
    lines = ("{" + ", ".join(f".{key} = {value}" for key, value in row.items()) + "}," for row in rows)
    return f"static const {kind} {name}[] = {{\n" + "\n".join(lines) + "\n};\n"


def numbers(name: str, values: list[int]) -> str:
    return f"static const int32_t {name}[] = {{{', '.join(map(str, values))}}};\n"


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(("level", "seed"), [("-O2", 1), ("-O3", 2), ("-Os", 3)])
def test_helium_kernels_equal_plain_loops(tmp_path: Path, level: str, seed: int) -> None:
    (tmp_path / "layout.h").write_text("#define EK_LAYOUT_HELIUM 1\n")
    (tmp_path / "cases.h").write_text(header(random.Random(seed)))
    program = tmp_path / "helium_kernels.elf"
    sources = [Path(__file__).parents[1] / "helium_kernels.c", *sorted(KERNELS.glob("*_mve.c"))]
    sources += [SOURCES / name for name in M55.support]
    command = [compiler_of(M55), *M55.flags, level, "-Werror", f"-I{tmp_path}", f"-I{KERNELS}", f"-I{SOURCES}"]
    built = subprocess.run(
        [*command, *map(str, sources), *M55.link_flags, "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    result = run(program, M55)
    assert result.lines[-1].split() == ["equal", str(5 * CASES)], result.lines
