"""Files of a Hugging Face repository.

`huggingface_hub` knows the endpoint (HF_ENDPOINT), the token and the listing; the bytes come through our own download,
which has the size limit, the resume and the progress that every other source has too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput, FetchFailed, need
from edgekit.sources import web

__all__ = ["download", "source_of"]

_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_INDEX = "model.safetensors.index.json"
_BESIDE = ("config.json", "tokenizer.json", "generation_config.json", "preprocessor_config.json")
_LOGIN = "it asks for a login (accept its licence on its page, then run: hf auth login)"


def download(
    repo: str, revision: str, file: str, out: Path, *, limit: int, pinned: bool, tick: Callable[[int], None]
) -> None:
    """Download one file of a repository; arguments and errors as in `edgekit.sources.web.download`.

    Raises:
        MissingExtra: `huggingface_hub` is not installed.
    """
    with need("hub", f"fetching hf://{repo}"):
        from huggingface_hub import constants, get_token, hf_hub_url
    url = hf_hub_url(repo, file, revision=revision, endpoint=_endpoint())
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        web.download(url, out, limit=limit, pinned=pinned, tick=tick, headers=headers)
    except web.Refused as exc:
        if exc.status in (401, 403):
            raise FetchFailed(_LOGIN) from exc
        raise


def source_of(repo: str, revision: str | None) -> Source:
    """The files of a repository that a checkpoint needs, at the commit that `revision` names now.

    Large files come with the hub's own sha256 and size; small ones stay unpinned. Which weights: safetensors (whole or
    sharded), else CTranslate2's ``model.bin``, else ``pytorch_model.bin``, else SpeechBrain's ``embedding_model.ckpt``.

    Raises:
        BadInput: the repository holds no weights in these formats.
        FetchFailed: the hub cannot be asked, or knows no such repository or revision.
        MissingExtra: `huggingface_hub` is not installed.
    """
    info = _ask(repo, revision)
    found = {entry.rfilename: entry for entry in info.siblings or ()}
    wanted = _weights(repo, list(found)) + [name for name in _BESIDE if name in found]
    files = tuple(_file(found[name], repo, info.sha) for name in wanted)
    licence = str((info.card_data or {}).get("license") or "unknown")
    return Source(uri=f"hf://{repo}", revision=str(info.sha), licence=licence, files=files)


def _ask(repo: str, revision: str | None) -> Any:
    with need("hub", f"fetching hf://{repo}"):
        from huggingface_hub import HfApi, errors
    try:
        return HfApi(endpoint=_endpoint()).model_info(repo, revision=revision, files_metadata=True, timeout=30)
    except errors.GatedRepoError as exc:
        raise FetchFailed(f"hf://{repo}: {_LOGIN}.") from exc
    except errors.RevisionNotFoundError as exc:
        raise FetchFailed(f"hf://{repo} has no revision {revision!r}.") from exc
    except errors.RepositoryNotFoundError as exc:
        raise FetchFailed(f"there is no repository hf://{repo}, or {_LOGIN}.") from exc
    except Exception as exc:  # the HTTP library below, and so its errors, changes between versions of the hub
        raise FetchFailed(
            f"the hub could not be asked about hf://{repo} ({type(exc).__name__}).",
            hint="Check the connection, or give a downloaded folder: --weights PATH",
        ) from exc


def _weights(repo: str, names: Sequence[str]) -> list[str]:
    if "model.safetensors" in names:
        return ["model.safetensors"]
    if _INDEX in names:
        return [_INDEX, *sorted(name for name in names if _SHARD.fullmatch(name))]
    for name in ("model.bin", "pytorch_model.bin", "embedding_model.ckpt"):
        if name in names:
            return [name]
    raise BadInput(
        f"hf://{repo} has no weights that can be read.",
        hint=f"Accepted: model.safetensors, {_INDEX} with its shards, model.bin (CTranslate2), pytorch_model.bin, "
        "embedding_model.ckpt (SpeechBrain).",
    )


def _file(entry: Any, repo: str, commit: str) -> SourceFile:
    piece = f"hf://{repo}@{commit}/{entry.rfilename}"
    if entry.lfs is None:
        return SourceFile(entry.rfilename, None, None, (piece,))
    return SourceFile(entry.rfilename, entry.lfs.sha256, entry.lfs.size, (piece,))


def _endpoint() -> str | None:
    # Read at each call: the library reads it once, at import.
    return os.environ.get("HF_ENDPOINT") or None
