"""Ask every judge about every model: `make judges`. What did not change since is not asked again.

    python ask.py --markdown docs/judges.md --json build/judges/judges.json [--models A,B] [--forms C,D] [--judges X,Y]

Exports the bundles (questions.py), asks each judge of judges.toml in a process of its own (frame.py), writes the page
(page.py): two works at a time, each on a processor of its own. Without build/judges everything is made anew.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from frame import HERE, Judge, answers, judges, name_of
from page import MODELS, write
from questions import BUILD, FORMS, options_of

#: Seconds that the exports of a model may take.
LONGEST = 1800
#: The fields of a step: whose entry of the table, its name, the entry, and what is printed of it.
Step = tuple[dict[str, Any], str, dict[str, Any], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, default=BUILD / "judges.md")
    parser.add_argument("--json", type=Path, default=BUILD / "judges.json")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--judges", default="", help="names in judges.toml; default: all")
    options = parser.parse_args()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    table: dict[str, Any] = json.loads(options.json.read_bytes()) if options.json.exists() else {}
    table = {"made": {}, "answers": {}} | table
    models, begin, lock = options.models.split(","), time.monotonic(), threading.Lock()
    asked = [one for one in judges() if not options.judges or one.name in options.judges.split(",")]

    def keep(steps: Iterable[Step]) -> None:
        for cells, name, entry, said in steps:
            with lock:
                cells[name] = entry
                print(f"{(time.monotonic() - begin) / 60:5.1f} min  {said}"[:200], flush=True)
                part = options.json.with_suffix(".partial")
                part.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
                part.replace(options.json)
                options.markdown.write_text(write(table, judges()), encoding="utf-8")

    forms = options.forms.split(",")
    side_by_side([lambda one=one: keep(export(one, forms, table["made"].setdefault(one, {}))) for one in models])
    for judge in asked:
        table["answers"].setdefault(judge.name, {})
    halves = [(judge, half) for judge in asked for half in (models[::2], models[1::2])]
    side_by_side([lambda judge=judge, half=half: keep(ask(judge, half, table)) for judge, half in halves])


def side_by_side(works: Iterable[Callable[[], None]]) -> None:
    """Two at a time, each on a processor of its own, where there are two: more threads would only wait."""
    cores = sorted(os.sched_getaffinity(0))
    free = [*cores[:2], cores[0]]
    with ThreadPoolExecutor(2, initializer=lambda: os.sched_setaffinity(0, {free.pop(0)})) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result()


def export(model: str, forms: Iterable[str], made: dict[str, Any]) -> Iterator[Step]:
    """The questions of a model, in a process of its own, into `made`, by form."""
    # What edgekit this is: the hashes of its files, as its wheel lists them.
    record = (importlib.metadata.distribution("edgekit-ml").read_text("RECORD") or "").encode()
    keys = {form: digest(record, repr(options_of(model, form)).encode()) for form in forms}
    left = [form for form in keys if made.get(form, {}).get("key") != keys[form]]
    if not left:
        return
    command, why = [sys.executable, str(HERE / "questions.py"), model, *left], "the export stopped"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
        lines, why = done.stdout, (done.stderr.strip().splitlines() or [why])[-1][:200]
    except subprocess.TimeoutExpired as exc:
        lines, why = (exc.stdout or b"").decode(), f"the exports took more than {LONGEST} s"
    entries = [json.loads(line) for line in lines.splitlines() if line.startswith('{"')]
    for form, entry in zip(left, [*entries, *[{"reason": why}] * len(left)], strict=False):
        # What the process did not say of itself is tried again next time.
        key = keys[form] if "processor_seconds" in entry else ""
        yield made, form, entry | {"key": key}, f"export {model} {form}: {entry.get('reason') or entry['form']}"


def ask(judge: Judge, models: Iterable[str], table: dict[str, Any]) -> Iterator[Step]:
    """The judge's answers into table["answers"][judge][question]; those that stand are not asked again."""
    cells = table["answers"][judge.name]
    stem = judge.script.removesuffix(".py")
    own = sorted(path for path in HERE.rglob("*") if path.is_file() and stem in str(path.relative_to(HERE)))
    key = digest(repr(judge[1:]).encode(), *(path.read_bytes() for path in [HERE / "asked.py", *own]))
    folders, keys = dict[str, list[str]](), {}
    for made in (made for model in models for made in table["made"][model].values()):
        for folder in sorted(Path(one) for one in made.get("folders", ()) if made["form"] in judge.forms):
            facts = json.loads((folder / "question.json").read_bytes())
            keys[name_of(folder)] = digest(key.encode(), facts["sha256"].encode(), facts["calls"].encode())
            if judge.files and Path(facts["file"]).suffix not in judge.files:
                why = f"it reads no {Path(facts['file']).suffix} file"
                yield cells, name_of(folder), {"reason": why}, f"{judge.name} {name_of(folder)}: {why}"
            elif cells.get(name_of(folder), {}).get("key") != keys[name_of(folder)]:
                folders.setdefault(keys[name_of(folder)], []).append(str(folder))
    # Bundles of two precisions share what is float in both: it is asked once.
    for question, answer in answers(judge, [Path(same[0]) for same in folders.values()]):
        # What the judge did not say itself may be another thing next time: it is asked again.
        entry = answer | {"key": "" if answer.get("lost") else keys[question]}
        said = answer.get("reason") or answer.get("placed") or answer["distance"]
        for same in map(Path, folders[keys[question]]):
            yield cells, name_of(same), entry, f"{judge.name} {name_of(same)}: {said}"


def digest(*contents: bytes) -> str:
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]


if __name__ == "__main__":
    main()
