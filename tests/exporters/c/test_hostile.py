"""Damaged networks that the generator still accepts: their C must stay within its memory, whatever they compute."""

from __future__ import annotations

import functools
import operator
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.cases.c_networks import KERNELS
from helpers.cases.tflite_models import MAKERS, Case

from edgekit.errors import EdgekitError
from edgekit.exporters.c import arena, write
from edgekit.exporters.c.layouts import layout as c_layout
from edgekit.exporters.c.lowering import graph
from edgekit.formats.tflite import reader
from edgekit.runtimes.qemu import build

pytestmark = pytest.mark.thorough

FLAGS = ("-std=gnu99", "-O1", "-g", "-w", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
WANTED = 60


def damaged(rng: random.Random) -> bytes:
    """A small network of one operator, with up to three bytes changed."""
    name = rng.choice(sorted(MAKERS))
    case = Case(
        seed=rng.randrange(10_000),
        height=rng.randint(4, 7),
        width=rng.randint(4, 6),
        channels=rng.choice([1, 2, 3, 4, 5, 8]),
        outputs=rng.choice([1, 2, 3, 4, 6]),
        kernel=(rng.randint(1, 3), rng.randint(1, 3)),
        stride=(rng.randint(1, 2), rng.randint(1, 2)),
        same=rng.random() < 0.5,
    )
    content = bytearray(MAKERS[name](case, name))
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(content))
        content[at] = content[at] ^ (1 << rng.randrange(8)) if rng.random() < 0.5 else rng.choice([0, 1, 2, 3, 4, 255])
    return bytes(content)


def accepted(rng: random.Random, layout: str, folder: Path) -> tuple[int, int]:
    """Write the C of `WANTED` damaged networks that pass every check; returns how many there are and their ways."""
    count, ways = 0, 0
    for _ in range(100 * WANTED):
        try:
            program = graph.lower(reader.read(damaged(rng)), layout)
            plan = arena.plan(program)
            if plan.bytes > 1 << 20 or sum(layer.macs for layer in program.layers) > 10**7:
                continue
            written = write.write(program, plan, f"n{count}", "a test")
        except EdgekitError:
            continue
        for name, text in written.files.items():
            (folder / name).write_text(text)
        ways |= functools.reduce(operator.or_, (layer.ways for layer in program.layers), 0)
        count += 1
        if count == WANTED:
            break
    return count, ways


@pytest.mark.parametrize("layout", ["plain", "dsp"])
def test_accepted_networks_stay_within_their_memory(tmp_path: Path, layout: str) -> None:
    for path in KERNELS.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    count, ways = accepted(random.Random(len(layout)), layout, tmp_path)
    assert count == WANTED
    (tmp_path / "layout.h").write_text(c_layout.header(layout, ways))
    calls = "".join(
        f'    fprintf(stderr, "network {i}\\n"); n{i}_init();\n'
        f"    for (int k = 0; k < 3; k++) {{ ek_tensor t = n{i}_input(0); memset(t.data, 77 * k - 100, t.bytes);"
        f" n{i}_invoke(); }}\n"
        for i in range(count)
    )
    headers = "".join(f'#include "n{i}.h"\n' for i in range(count))
    main = f"#include <stdio.h>\n#include <string.h>\n{headers}int main(void) {{\n{calls}    return 0;\n}}\n"
    (tmp_path / "main.c").write_text(main)
    sources = sorted(map(str, tmp_path.glob("*.c")))
    command = [*build.compiler(), *FLAGS, f"-I{tmp_path}", *sources, "-o", str(tmp_path / "all")]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    done = subprocess.run([str(tmp_path / "all")], check=False, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
