"""Which .gguf of a repository is meant: repositories hold a model in many types, each a file or a few shards."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from edgekit.errors import BadInput
from edgekit.formats.gguf import shards_of

#: The type where nobody names one: what llama.cpp's own programs fetch.
_USUAL = "q4_k_m"
_OTHER_WEIGHTS = (".safetensors", ".bin", ".ckpt")
#: What lies beside models, and is none.
_BESIDE = re.compile(r"mmproj|imatrix")


def nothing_else(names: Iterable[str]) -> bool:
    """Whether the weights of a repository are .gguf files alone."""
    held = list(names)
    return any(name.endswith(".gguf") for name in held) and not any(name.endswith(_OTHER_WEIGHTS) for name in held)


def choose_files(repo: str, names: Iterable[str], choice: str) -> list[str]:
    """The file that `choice` means, or all its shards in order.

    Args:
        names: of the repository's files. choice: a type ("q4_k_m"), a name with wildcards ("*Q4_K_M*.gguf"), or "" for
            the only one, else the q4_k_m.

    Raises:
        BadInput: it means none, or several; or a shard is absent. The message lists what there is.
    """
    held = {name for name in names if name.endswith(".gguf") and not _BESIDE.search(name)}
    models = sorted({shards_of(name)[0] for name in held})
    fitting = [name for name in models if _means(choice, name)] if choice else models
    if not choice and len(models) > 1:
        fitting = [name for name in models if _means(_USUAL, name)]
    if len(fitting) != 1:
        what = f"{len(fitting)} of them fit" if choice else "none is named"
        raise BadInput(
            f"hf://{repo} holds {len(models)} language models as .gguf; {what} {choice!r}."
            if choice
            else f"hf://{repo} holds {len(models)} language models as .gguf; {what}.",
            hint=f"Name a type or a file, hf://{repo}:TYPE, of: {', '.join(models[:20]) or 'none'}.",
        )
    shards = shards_of(fitting[0])
    if absent := [name for name in shards if name not in held]:
        raise BadInput(f"hf://{repo} lacks {absent[0]}, a shard of {fitting[0]}.")
    return shards


def _means(choice: str, name: str) -> bool:
    if re.search(r"[*?\[]|\.gguf$", choice):
        return fnmatch.fnmatch(name, choice) or fnmatch.fnmatch(name.rpartition("/")[2], choice)
    return re.search(rf"(^|[-_./]){re.escape(choice.lower())}([-./]|$)", name.lower()) is not None
