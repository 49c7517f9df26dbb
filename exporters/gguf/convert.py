"""A Hugging Face folder -> .gguf in 16 bits, by llama.cpp's own converter, in a process of its own.

The converter reads the folder with transformers, which would run Python that a folder brings along. So it sees another
folder: links to the files that are data, and nothing else; no network, and no cache of earlier downloads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from edgekit.common.documents import read_json
from edgekit.core import Progress
from edgekit.errors import BadInput, ExportFailed, MissingExtra, need
from edgekit.formats import gguf
from edgekit.llama import library

_DATA = ("*.safetensors", "*.json", "tokenizer.model", "spiece.model", "merges.txt", "vocab.txt", "chat_template.jinja")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")


def convert(folder: Path, out: Path, progress: Progress) -> None:
    """Write the model in `folder` to `out`: bfloat16 where its weights are, else float16; whole or not at all.

    Raises:
        BadInput: it has no tokenizer, or code of its own. ExportFailed: the converter does not know the architecture,
            or failed otherwise. MissingExtra: its source, torch or transformers is not there.
    """
    _check(folder)
    script = _script()
    with need("hub", "converting from Hugging Face"):
        import torch  # noqa: F401
        import transformers  # noqa: F401
    fresh = out.with_name(out.name + ".partial")
    progress("converting to GGUF", 0, 0)
    with tempfile.TemporaryDirectory() as place:
        clean = Path(place) / folder.name
        clean.mkdir()
        for pattern in _DATA:
            for file in folder.glob(pattern):
                (clean / file.name).symlink_to(file.resolve())
        command = [sys.executable, str(script), str(clean), "--outfile", str(fresh), "--outtype", "auto"]
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HOME": str(Path(place) / "home")}
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
        try:
            done = subprocess.run(command, env={**environment, **offline}, capture_output=True, text=True, cwd=place)
            if done.returncode or not fresh.is_file():
                raise ExportFailed(
                    f"llama.cpp's converter cannot convert {folder.name}: {_reason(done.stderr)}",
                    hint="Give a .gguf of this model with --weights instead.",
                )
            gguf.read(fresh)
            fresh.replace(out)
        finally:
            fresh.unlink(missing_ok=True)


def _script() -> Path:
    script = library.folder() / "source" / "vendor" / "llama.cpp" / "convert_hf_to_gguf.py"
    if not (script.is_file() and (library.folder() / "source.json").is_file()):
        raise MissingExtra(
            "converting from Hugging Face needs the source of llama.cpp.",
            hint=f"Fetch it with: {library.BUILD} --source-only",
        )
    return script


def _check(folder: Path) -> None:
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise BadInput(
            f"{folder.name} holds no tokenizer ({', '.join(_TOKENIZERS)}).",
            hint="Put the model's own beside the weights.",
        )
    for name in ("config.json", "tokenizer_config.json"):
        content = read_json(folder / name) if (folder / name).is_file() else {}
        if isinstance(content, dict) and "auto_map" in content:
            raise BadInput(f"{name} asks for Python code of its own (auto_map), which is never run.")


def _reason(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["it gave no reason"]
    complaints = [line for line in lines if line.startswith("ERROR") or "Error" in line]
    return (complaints or lines)[-1][:300]
