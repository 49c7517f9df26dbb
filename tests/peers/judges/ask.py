"""Ask every judge about every model: `make judges`. What did not change since is not asked again.

    python ask.py --markdown docs/judges.md --json build/judges/judges.json [--models A,B] [--forms C,D] [--judges X,Y]

Exports the bundles (questions.py), asks each judge_*.py in a process of its own (frame.py), writes the page (page.py).
Without build/judges everything is made anew.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from frame import HERE, Judge, answers, judges, name_of
from page import MODELS, write
from questions import BUILD, FORMS, options_of

#: Seconds that an export may take.
LONGEST = 1800


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, default=BUILD / "judges.md")
    parser.add_argument("--json", type=Path, default=BUILD / "judges.json")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--judges", default="", help="NAME of files judge_NAME.py; default: all")
    options = parser.parse_args()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    table: dict[str, Any] = json.loads(options.json.read_bytes()) if options.json.exists() else {}
    table = {"made": {}, "answers": {}} | table
    models, begin = options.models.split(","), time.monotonic()
    asked = [one for one in judges() if not options.judges or one.path.stem[6:] in options.judges.split(",")]
    for said in (
        line
        for work in (export(models, options.forms.split(","), table), *(ask(one, models, table) for one in asked))
        for line in work
    ):
        print(f"{(time.monotonic() - begin) / 60:5.1f} min  {said}"[:200], flush=True)
        part = options.json.with_suffix(".partial")
        part.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        part.replace(options.json)
        options.markdown.write_text(write(table, judges()), encoding="utf-8")


def export(models: Sequence[str], forms: Sequence[str], table: dict[str, Any]) -> Iterator[str]:
    """The questions of every form, each made in a process of its own, into table["made"][model][form]."""
    # What edgekit this is: the hashes of its files, as its wheel lists them.
    record = importlib.metadata.distribution("edgekit-ml").read_text("RECORD") or ""
    for model, form in ((model, form) for model in models for form in forms):
        key = digest(record.encode(), repr(options_of(model, form)).encode())
        before = table["made"].setdefault(model, {}).get(form, {})
        if before.get("key") == key:
            continue
        begin, command = sum(os.times()[2:4]), [sys.executable, str(HERE / "questions.py"), model, form]
        made: dict[str, Any] = {"key": key}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
            made |= json.loads((done.stdout.splitlines() or [""])[-1])
        except subprocess.TimeoutExpired:
            made = {"reason": f"the export took more than {LONGEST} s"}
        except ValueError:
            made = {"reason": f"the export failed: {(done.stderr.strip().splitlines() or ['nothing said'])[-1][:200]}"}
        table["made"][model][form] = made | {"processor_seconds": round(sum(os.times()[2:4]) - begin, 1)}
        yield f"export {model} {form}: {made.get('reason') or made['form']}"


def ask(judge: Judge, models: Sequence[str], table: dict[str, Any]) -> Iterator[str]:
    """Put the judge's answers into table["answers"][judge][question]; those that stand are not asked again."""
    cells = table["answers"].setdefault(judge.name, {})
    own = sorted(path for path in HERE.rglob(f"*{judge.path.stem[6:]}*") if path.is_file())
    key = digest(*(path.read_bytes() for path in [HERE / "asked.py", *own]))
    folders, keys = [], {}
    for made in (made for model in models for made in table["made"][model].values()):
        for folder in sorted(Path(one) for one in made.get("folders", ()) if made["form"] in judge.forms):
            facts = json.loads((folder / "question.json").read_bytes())
            keys[name_of(folder)] = digest(key.encode(), facts["sha256"].encode(), facts["calls"].encode())
            if judge.files and Path(facts["file"]).suffix not in judge.files:
                cells[name_of(folder)] = {"reason": f"it reads no {Path(facts['file']).suffix} file"}
            elif cells.get(name_of(folder), {}).get("key") != keys[name_of(folder)]:
                folders.append(folder)
    for question, answer in answers(judge, folders):
        # What the judge did not say itself may be another thing next time: it is asked again.
        cells[question] = answer | {"key": "" if answer.get("lost") else keys[question]}
        yield f"{judge.name} {question}: {answer.get('reason') or answer.get('placed') or answer['distance']}"


def digest(*contents: bytes) -> str:
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]


if __name__ == "__main__":
    main()
