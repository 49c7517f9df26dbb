"""Digests of default bundles, without the texts that tell of them: what a change of the house must leave as it is.

    python tests/peers/digests.py BEFORE.json           with the edgekit that is installed
    python tests/peers/digests.py AFTER.json --beside BEFORE.json     tells what differs

Every model on every target, by default; two at a time, each on a processor of its own. A second run goes on where the
first stopped. Exit code 1: something differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError
from edgekit.registry import names

#: What tells of a bundle, and names recipes and versions.
TEXTS = ("manifest.json", "README.md", "sbom.cdx.json")
#: Whose evidence takes ten minutes to answer: calibrated on the golden clip alone.
SLOW = ("whisper-base", "whisper-tiny-en", "whisper-small", "whisper-tiny")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--beside", type=Path, help="the file of an earlier run, to compare with")
    parser.add_argument("--models", default=",".join(names("models")))
    parser.add_argument("--targets", default=",".join(names("targets")))
    options = parser.parse_args()
    table: dict[str, dict[str, Any]] = json.loads(options.file.read_bytes()) if options.file.exists() else {}
    free = [*sorted(os.sched_getaffinity(0))[:2], 0]

    def record(model: str) -> None:
        left = [one for one in options.targets.split(",") if one not in table.get(model, {})]
        command = [sys.executable, __file__, "--export", model, *left]
        done = subprocess.run(command, capture_output=True, text=True, check=False) if left else None
        for line in done.stdout.splitlines() if done else ():
            if line.startswith("{"):
                table.setdefault(model, {}).update(json.loads(line))
                options.file.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        print(f"{model}: {len(table.get(model, {}))} targets {done.stderr[-200:] if done else ''}", flush=True)

    with ThreadPoolExecutor(2, initializer=lambda: os.sched_setaffinity(0, {free.pop(0)})) as pool:
        list(pool.map(record, options.models.split(",")))
    before = json.loads(options.beside.read_bytes()) if options.beside else {}
    differ = [
        f"{model} {target}: {sorted(set(was.items()) ^ set(table.get(model, {}).get(target, {}).items()))[:4]}"
        for model, targets in before.items()
        for target, was in targets.items()
        if model in options.models.split(",") and was != table.get(model, {}).get(target)
    ]
    print(*differ, sep="\n")
    return bool(differ)


def export(model: str, targets: list[str]) -> None:
    """Print a JSON line for each target: file -> sha256; or "error" -> the message."""
    import edgekit

    for target in targets:
        with tempfile.TemporaryDirectory() as folder:
            try:
                bundle = edgekit.export(
                    model, target, out=folder + "/b", **({"evidence": False} if model in SLOW else {})
                )
                files = sorted(path for path in bundle.path.rglob("*") if path.is_file() and path.name not in TEXTS)
                told = {str(f.relative_to(bundle.path)): hashlib.sha256(f.read_bytes()).hexdigest()[:16] for f in files}
            except EdgekitError as exc:
                told = {"error": exc.message}
            print("\n" + json.dumps({target: told}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--export"]:
        export(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main())
