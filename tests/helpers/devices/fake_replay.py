"""What a fake phone runs in place of the native program: the same ways of being started, answers that a test has put
there, and times that are made up, so that it knows them. Imports nothing slow: a test starts it dozens of times."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

#: Seconds that a call of part number N takes with one thread: (N + 1) * this; more threads share it. Of a language
#: model, what a token of a prompt takes; one that is generated takes four times that.
CALL = 0.01

#: An input: ONNX's number of its type, its shape, its values.
Value = tuple[int, tuple[int, ...], bytes]


def main(folder: str) -> int:
    """As targets/android/replay/replay.h says."""
    runner = json.loads((Path(folder) / "state.json").read_text())["runner"]
    way, *rest = sys.argv[4:]  # after the loader's own arguments and the program's name
    if runner == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if runner == "hang":
        time.sleep(600)
    if runner == "complain":
        print("Load model from part0.onnx failed:\x1b[31m bad magic", file=sys.stderr)
        return 2
    if way == "some":
        shutil.copyfile(rest[3], Path(folder) / "asked")  # for tests that look at what came
        shutil.copyfile(Path(folder) / ("wrong" if runner == "wrong" else "answers"), rest[-1])
    else:
        _measured(runner, way, *rest)
    return 0


def _measured(
    runner: str, way: str, out: str, library: str, threads: str, cores: str, limit: str, first: str, *rest: str
) -> None:
    models = rest[4:] if way == "speeds" else rest[3:]
    made = {
        "runtime": "" if "LiteRt" in library else "1.2.3",
        "threads": int(threads),
        "cores": [0] if cores == "-" else [int(core) for core in cores.split(",")],
        "load": {"library": 0.5, "whole": 2.0, "parts": [1.5 / len(models)] * len(models)},
        "inputs": 0 if way == "speeds" else Path(first).stat().st_size,
        "peak": 50_000_000,
        "anonymous": 30_000_000,
        "file": 20_000_000,
        **(_speeds(int(threads), *map(int, rest[:4])) if way == "speeds" else _times(int(threads), first, *rest)),
        "end": True,
    }
    if runner == "not a number":
        (made["speeds"]["generate"] if way == "speeds" else made["values"]["whole"])[0] = float("nan")
    if runner == "another number of parts":
        made["values"]["parts"].append([1.0])
    if runner == "a value less":
        made["speeds"]["prompt"].pop()
    text = json.dumps(made)
    if runner != "no result":
        Path(out).write_text(text[: len(text) // 2] if runner == "cut" else text)


def _times(threads: int, everything: str, warmups: str, rounds: str, _: str, *models: str) -> dict[str, Any]:
    calls = [len(part) for part in read_all(Path(everything))]

    def times(count: int) -> dict[str, Any]:
        one = [CALL * (at + 1) / threads for at in range(len(models))]
        whole = sum(seconds * number for seconds, number in zip(one, calls, strict=True))
        parts = [[seconds] * (number * count) for seconds, number in zip(one, calls, strict=True)]
        return {"whole": [whole] * count, "parts": parts}

    return {"warmups": times(int(warmups)), "values": times(min(5, int(rounds)))}


def _speeds(threads: int, first: int, prompt: int, generate: int, repeats: int) -> dict[str, Any]:
    values = {"first": first * CALL / threads, "prompt": threads / CALL, "generate": threads / CALL / 4}
    asked = {"first": first, "prompt": prompt, "generate": generate}
    return {"speeds": {name: [values[name]] * (repeats if asked[name] else 0) for name in values}}


def read_all(file: Path) -> list[list[dict[str, Value]]]:
    """What `edgekit.targets.common.calls.write_all` wrote: per part the inputs of its calls."""
    data, at = file.read_bytes(), 0

    def take(form: str) -> tuple[int, ...]:
        nonlocal at
        found = struct.unpack_from(f"<{form}", data, at)
        at += struct.calcsize(f"<{form}")
        return found

    def raw(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    magic, count = take("II")
    assert magic == 0x41434B45
    pool = []
    for _ in range(count):
        kind, axes = take("II")
        *shape, size = take(f"{axes}qQ")
        pool.append((kind, tuple(shape), raw(size)))
    parts = []
    for _ in range(take("I")[0]):
        calls: list[dict[str, Value]] = []
        for _ in range(take("I")[0]):
            feeds = {}
            for _ in range(take("I")[0]):
                name = raw(take("I")[0]).decode()
                feeds[name] = pool[take("I")[0]]
            calls.append(feeds)
        parts.append(calls)
    assert at == len(data)
    return parts
