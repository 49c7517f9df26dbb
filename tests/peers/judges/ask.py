"""Ask every judge about every model: `make judges`. What did not change since is not asked again.

    python ask.py --markdown docs/judges.md --json build/judges/judges.json [--models A,B] [--judges X,Y]

Exports the bundles (questions.py), asks each judge_*.py in a process of its own (frame.py), writes the page (page.py).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from frame import HERE, Judge, answers, judges, name_of
from page import write
from questions import BUILD, FORMS

MODELS = (
    "whisper-base whisper-tiny-en efficientnet-lite0 mobilenet-v1-025-vww ds-cnn-kws okay-nabu openwakeword-hey-jarvis "
    "silero-vad ecapa-tdnn ge2e-speaker all-minilm-l6-v2 blazeface selfie-segmentation pose-landmarks hand-landmarks "
    "pp-ocr-v4 basic-pitch fracast piper-joe proteinmpnn half-cheetah-policy vit-fashion two-tower-movielens "
    "ddpm-fashion"
).split()
#: Seconds that an export may take.
LONGEST = 1200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, default=BUILD / "judges.md")
    parser.add_argument("--json", type=Path, default=BUILD / "judges.json")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--judges", default="", help="names of files: judge_NAME.py; default: all")
    options = parser.parse_args()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    table: dict[str, Any] = json.loads(options.json.read_bytes()) if options.json.exists() else {}
    chosen, models = judges(), options.models.split(",")
    begin = time.monotonic()
    for _ in export(models, table.setdefault("made", {})):
        save(options.json, table)
    for judge in chosen:
        if not options.judges or judge.path.stem.removeprefix("judge_") in options.judges.split(","):
            for _ in ask(judge, models, table):
                save(options.json, table)
    options.markdown.write_text(write(table, chosen, MODELS), encoding="utf-8")
    print(f"{options.markdown} written after {(time.monotonic() - begin) / 60:.1f} minutes")


def save(file: Path, table: dict[str, Any]) -> None:
    part = file.with_suffix(".partial")
    part.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    part.replace(file)


def export(models: Sequence[str], made: dict[str, Any]) -> Iterator[None]:
    """The questions of every form, each made in a process of its own: made[model][form]."""
    for model in models:
        for form in FORMS:
            key = digest(HERE / "questions.py") + installed()
            before = made.setdefault(model, {}).get(form)
            if before and before["key"] == key and not before.get("failed"):
                continue
            begin = time.monotonic()
            made[model][form] = found = {"key": key, **run_export(model, form), "seconds": 0.0}
            found["seconds"] = round(time.monotonic() - begin, 1)
            said = found.get("reason") or f"{found['form']}: {', '.join(found['parts'])}"
            print(f"export {model} {form} {found['seconds']:.0f} s: {said[:120]}", flush=True)
            yield


def run_export(model: str, form: str) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "questions.py"), model, form]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return {"reason": f"the export took more than {LONGEST} s", "failed": True}
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"reason": f"the export failed: {last[:200]}", "failed": True}


def ask(judge: Judge, models: Sequence[str], table: dict[str, Any]) -> Iterator[None]:
    """Put the judge's answers into table["answers"][judge][question]; those that stand are not asked again."""
    cells = table.setdefault("answers", {}).setdefault(judge.name, {})
    stem = judge.path.stem.removeprefix("judge_")
    mine = digest(HERE / "asked.py", *sorted(p for p in HERE.rglob(f"*{stem}*") if p.is_file()))
    asked, keys = [], {}
    for model in models:
        for form, made in table["made"][model].items():
            for part in made.get("parts", ()) if made.get("form", form) in judge.forms else ():
                folder = BUILD / "questions" / model / made["form"] / part
                facts = json.loads((folder / "question.json").read_bytes())
                keys[name_of(folder)] = f"{mine}-{facts['sha256'][:16]}-{facts['calls'][:16]}"
                if judge.files and Path(facts["file"]).suffix not in judge.files:
                    cells[name_of(folder)] = {"reason": f"it reads no {Path(facts['file']).suffix} file"}
                elif cells.get(name_of(folder), {}).get("key") != keys[name_of(folder)]:
                    asked.append(folder)
    begin = time.monotonic()
    for question, answer, own in answers(judge, asked):
        took, begin = time.monotonic() - begin, time.monotonic()
        # What the judge did not say itself may be another thing next time: it is asked again.
        cells[question] = {**answer, "key": keys[question] if own else "", "seconds": round(took, 1)}
        dB = answer.get("dB")
        said = answer.get("reason") or answer.get("placed") or ("equal" if dB is None else f"{dB:.1f} dB")
        print(f"{judge.name} {question} {took:.1f} s: {said[:120]}", flush=True)
        yield


def digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def installed() -> str:
    """What the edgekit that exports is: the hash of the list of hashes that its wheel has."""
    record = importlib.metadata.distribution("edgekit-ml").read_text("RECORD") or ""
    return hashlib.sha256(record.encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
