"""Files of a Hugging Face repository.

`huggingface_hub` knows the endpoint (HF_ENDPOINT), the token and the listing; the bytes come through our own download,
which has the size limit, the resume and the progress that every other source has too.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.common.files import write_whole
from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput, FetchFailed, need
from edgekit.formats.gguf import shards_of
from edgekit.sources import web
from edgekit.sources.transports.contract import Bounds, Transport, safe_name

_FILE = re.compile(r"hf://([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w.%-]+))?/(.+)")
_REPOSITORY = re.compile(r"hf://([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?(?::(.+))?")
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_INDEX = "model.safetensors.index.json"
#: What belongs to a checkpoint beside its weights: settings, vocabularies, modules of sentence-transformers.
_BESIDE = (
    *("config.json", "tokenizer.json", "generation_config.json", "preprocessor_config.json"),
    *("tokenizer_config.json", "special_tokens_map.json", "vocab.json"),
    *("modules.json", "1_Pooling/config.json", "sentence_bert_config.json"),
)
_LOGIN = "it asks for a login (accept its licence on its page, then run: hf auth login)"


class Hub(Transport):
    """Files of repositories."""

    schemes = ("hf",)
    form = "hf://OWNER/REPO[@REVISION][:GGUF]"
    resumes = True
    partial = True

    @classmethod
    def source(cls, address: str, cache: Path, offline: bool) -> Source:
        """All files of a repository that a checkpoint needs; offline, from its last listing."""
        match = _REPOSITORY.fullmatch(address)
        if not match:
            raise BadInput(f"{address!r} is not of the form {cls.form}, where GGUF is q4_k_m or *.gguf.")
        listing = cache / "hub" / f"{hashlib.sha256(address.encode()).hexdigest()[:24]}.json"
        if not offline:
            source = source_of(match[1], match[2], match[3] or "")
            write_whole(listing, json.dumps(_as_json(source)).encode())
            return source
        try:
            return _from_json(listing)
        except (OSError, ValueError, TypeError) as exc:
            raise FetchFailed(
                f"{address} has never been listed on this machine, and this is offline.",
                hint="Run the same command once with a connection, or give a downloaded folder: --weights PATH",
            ) from exc

    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        url, headers = _request(piece)
        with _login():
            web.download(url, out, limit=bounds.limit, pinned=bounds.pinned, tick=bounds.tick, headers=headers)

    @classmethod
    def part(cls, piece: str, start: int, size: int) -> tuple[bytes, int]:
        url, headers = _request(piece)
        with _login():
            return web.part(url, start, size, headers)


def beginning_of(piece: str, size: int) -> bytes:
    """The first `size` bytes of a piece (``hf://OWNER/REPO@REVISION/file``), fewer if it is shorter.

    Raises:
        FetchFailed: it cannot be reached. BadInput: the URI cannot be read. MissingExtra: `huggingface_hub` is absent.
    """
    url, headers = _request(piece)
    with _login():
        return web.beginning(url, size, headers)


def _request(piece: str) -> tuple[str, dict[str, str]]:
    """The address of a piece, and the headers that it takes."""
    match = _FILE.fullmatch(piece)
    if not match:
        raise BadInput(f"{piece!r} is not of the form hf://OWNER/REPO@REVISION/file.")
    repo, revision, file = match[1], urllib.parse.unquote(match[2] or "main"), safe_name(match[3])
    with need("hub", f"fetching hf://{repo}"):
        from huggingface_hub import constants, get_token, hf_hub_url
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    url = hf_hub_url(repo, file, revision=revision, endpoint=_endpoint())
    return url, {"Authorization": f"Bearer {token}"} if token else {}


@contextlib.contextmanager
def _login() -> Iterator[None]:
    try:
        yield
    except web.Refused as exc:
        if exc.status in (401, 403):
            raise FetchFailed(_LOGIN) from exc
        raise


def _as_json(source: Source) -> list[object]:
    files = [[file.name, file.sha256, file.size, list(file.pieces)] for file in source.files]
    return [source.uri, source.revision, source.licence, files]


def _from_json(listing: Path) -> Source:
    uri, revision, licence, files = json.loads(listing.read_bytes())
    return Source(
        uri, revision, licence, tuple(SourceFile(n, sha, size, tuple(pieces)) for n, sha, size, pieces in files)
    )


def source_of(repo: str, revision: str | None, choice: str = "") -> Source:
    """The files of a repository that a checkpoint needs, at the commit that `revision` names now; or the .gguf that
    `choice` means (`choose_files`), and that of a repository with nothing else.

    Large files come with the hub's own sha256 and size; small ones stay unpinned. Which weights: safetensors (whole or
    sharded), else CTranslate2's ``model.bin``, else ``pytorch_model.bin``, else SpeechBrain's ``embedding_model.ckpt``.

    Raises:
        BadInput: the repository holds no weights in these formats.
        FetchFailed: the hub cannot be asked, or knows no such repository or revision.
        MissingExtra: `huggingface_hub` is not installed.
    """
    info = _ask(repo, revision)
    entries = {entry.rfilename: entry for entry in info.siblings or ()}
    licence = str((info.card_data or {}).get("license") or "unknown")
    if choice or has_ggufs_alone(entries):
        held = (_file(entries[name], repo, info.sha) for name in choose_files(repo, entries, choice))
        flat = tuple(replace(file, name=file.name.rpartition("/")[2]) for file in held)
        return Source(uri=f"hf://{repo}", revision=str(info.sha), licence=licence, files=flat)
    wanted = _weights(repo, list(entries)) + [name for name in _BESIDE if name in entries]
    # Code of a repository is fetched as text; only an importer runs it, and only for a user who trusts it.
    wanted += [name for name in entries if name.endswith(".py") and "/" not in name]
    files = tuple(_file(entries[name], repo, info.sha) for name in wanted)
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
    except errors.HfHubHTTPError as exc:
        if exc.response.status_code in (401, 403):
            raise FetchFailed(f"hf://{repo}: {_LOGIN}.") from exc
        raise _unreachable(repo, exc) from exc
    except Exception as exc:  # the HTTP library below, and so its errors, changes between versions of the hub
        raise _unreachable(repo, exc) from exc


def _unreachable(repo: str, exc: Exception) -> FetchFailed:
    status = getattr(getattr(exc, "response", None), "status_code", None)
    told = f"it answered with HTTP status {status}" if status else type(exc).__name__
    return FetchFailed(
        f"the hub could not be asked about hf://{repo} ({told}).",
        hint=f"Check the connection, or give a downloaded folder in place of hf://{repo}.",
    )


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
        f"embedding_model.ckpt (SpeechBrain); a .gguf is named: hf://{repo}:q4_k_m",
    )


def _file(entry: Any, repo: str, commit: str) -> SourceFile:
    piece = f"hf://{repo}@{commit}/{entry.rfilename}"
    if entry.lfs is None:
        return SourceFile(entry.rfilename, None, None, (piece,))
    return SourceFile(entry.rfilename, entry.lfs.sha256, entry.lfs.size, (piece,))


def _endpoint() -> str | None:
    # Read at each call: the library reads it once, at import.
    return os.environ.get("HF_ENDPOINT") or None


TRANSPORT = Hub


#: The type where nobody names one: what llama.cpp's own programs fetch.
_USUAL = "q4_k_m"
_OTHER_WEIGHTS = (".safetensors", ".bin", ".ckpt")
#: What lies beside models, and is none.
_NO_MODEL = re.compile(r"mmproj|imatrix")


def has_ggufs_alone(names: Iterable[str]) -> bool:
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
    held = {name for name in names if name.endswith(".gguf") and not _NO_MODEL.search(name)}
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
