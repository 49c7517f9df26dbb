"""Download of a file over HTTP: streamed, resumed after a break, never larger than allowed.

Plain `urllib`, so that proxies and certificates come from the environment as everywhere else. No host appears in any
message: users know a source by its name, and private addresses do not belong in a log.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from edgekit.errors import FetchFailed

RETRIES = 4  # attempts in a row that brought nothing new
WAIT = 0.5  # seconds before the first of them; doubles
LONGEST_WAIT = 8.0
TIMEOUT = 30.0  # seconds of silence on the line
CHUNK = 1 << 20
_PASSING = {408, 425, 429}  # the only 4xx answers that another attempt can change


class Refused(FetchFailed):
    """The server answered, and the answer is no."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the server answered {status} ({reason or 'no reason given'})")
        self.status = status


class _Again(Exception):
    """A failed attempt that may be repeated."""


def check_url(url: str) -> None:
    """Raise FetchFailed unless `url` is a well-formed address with https, or with http on this very machine."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as exc:
        raise FetchFailed("the address is malformed") from exc
    if re.search(r"[^\x21-\x7e]", url):
        raise FetchFailed("the address holds spaces or letters that must be percent-encoded")
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise FetchFailed("only https:// is accepted (http:// only on this machine)")


def download(
    url: str,
    out: Path,
    *,
    limit: int,
    pinned: bool,
    tick: Callable[[int], None],
    headers: Mapping[str, str] | None = None,
) -> None:
    """Download `url` to `out`, continuing what an earlier call left there.

    Args:
        url: checked with `check_url`, and so is each redirect.
        out: the partial file. It is kept after any failure except "too much".
        limit: bytes; a server that sends more is cut off.
        pinned: the caller knows the hash, so a resumed file needs no ETag to be trusted.
        tick: called with the number of bytes received so far.
        headers: secrets; they are sent to this host only, not along a redirect to another host.

    Raises:
        Refused: a final answer such as 404.
        FetchFailed: too much data, or several attempts in a row brought nothing new.
    """
    check_url(url)
    best, failures = _size(out), 0
    while True:
        try:
            if _attempt(url, out, limit, pinned, tick, headers or {}):
                return
            reason = "the connection broke off"
        except _Again as exc:
            reason = str(exc)
        # Measured against the most that ever arrived: a server that restarts each time must not keep us here forever.
        arrived = _size(out)
        best, failures = (arrived, 0) if arrived > best else (best, failures + 1)
        if failures >= RETRIES:
            raise FetchFailed(f"{reason}, {failures} times in a row; what has arrived is kept and continued next time")
        time.sleep(min(WAIT * 2**failures, LONGEST_WAIT))


def beginning(url: str, size: int, headers: Mapping[str, str] | None = None) -> bytes:
    """The first `size` bytes at `url`, asked for as a range; a server that sends all is cut off. See `download`.

    Raises:
        Refused: a final answer such as 404. FetchFailed: the connection failed.
    """
    with _open_range(url, 0, size, headers or {}) as response:
        return bytes(response.read(size))


def part(url: str, start: int, size: int, headers: Mapping[str, str] | None = None) -> tuple[bytes, int]:
    """`size` bytes at `url` from `start` on (fewer at its end), and the size of the whole file. See `download`.

    Raises:
        Refused: a final answer such as 404. FetchFailed: the connection failed, or the server sends whole files only.
    """
    with _open_range(url, start, size, headers or {}) as response:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", "").strip())
        if response.status != 206 or not match or int(match[1]) != start:
            raise FetchFailed("the server sends whole files only, no parts of them")
        return bytes(response.read(size)), int(match[2])


@contextlib.contextmanager
def _open_range(url: str, start: int, size: int, headers: Mapping[str, str]) -> Iterator[Any]:
    """The response to a request for a range of bytes."""
    check_url(url)
    request = _build_request(url, headers)
    request.add_header("Range", f"bytes={start}-{start + size - 1}")
    try:
        with urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT) as response:
            yield response
    except urllib.error.HTTPError as exc:
        with exc:
            raise Refused(exc.code, http.client.responses.get(exc.code, "")) from exc
    except (OSError, http.client.HTTPException) as exc:
        raise FetchFailed(str(_on_break(exc))) from exc


def _attempt(
    url: str, out: Path, limit: int, pinned: bool, tick: Callable[[int], None], headers: Mapping[str, str]
) -> bool:
    """A single request. True if the file is complete, False if the connection broke."""
    tag = out.with_name(out.name + ".tag")
    validator = tag.read_text("latin-1") if tag.is_file() else ""
    start = _size(out)
    if start > limit or (start and not validator and not pinned):
        start = 0
    if start and start == limit and pinned:
        return True  # everything had arrived before the interruption
    try:
        response = _open(url, start, validator, headers)
    except urllib.error.HTTPError as exc:
        with exc:
            return _on_error(exc, out, start)
    except (OSError, http.client.HTTPException) as exc:
        raise _on_break(exc) from exc
    with response:
        begin, total = _extent(response, start)
        if total is not None and total > limit:
            raise _too_much(out, limit)
        if begin == 0:
            out.write_bytes(b"")  # before the new tag: an old body never stands beside it
            tag.write_text(_validator(response), "latin-1")
        with out.open("ab") as file:
            done = _copy(response, file, begin, total, out, limit, tick)
    return total is None or done == total


def _copy(
    response: Any, file: IO[bytes], done: int, total: int | None, out: Path, limit: int, tick: Callable[[int], None]
) -> int:
    while total is None or done < total:
        try:
            block = response.read1(CHUNK if total is None else min(CHUNK, total - done))
        except (OSError, http.client.HTTPException) as exc:
            raise _on_break(exc) from exc
        if not block:
            break
        done += len(block)
        if done > limit:
            raise _too_much(out, limit)
        file.write(block)
        tick(done)
    return done


def _open(url: str, start: int, validator: str, headers: Mapping[str, str]) -> Any:
    request = _build_request(url, headers)
    if start:
        request.add_header("Range", f"bytes={start}-")
        if validator:
            request.add_header("If-Range", validator)
    return urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)


def _build_request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    # Content-Encoding would make byte ranges and the pinned size mean something else.
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", "User-Agent": "edgekit"})
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    return request


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_url(newurl)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        before, after = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if request is not None and (before.scheme, before.netloc) == (after.scheme, after.netloc):
            for name, value in req.unredirected_hdrs.items():
                request.add_unredirected_header(name, value)
        return request


def _extent(response: Any, start: int) -> tuple[int, int | None]:
    """Where the body begins in the whole file, and the whole file's size if the server tells."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if not match or int(match[1]) != start:
            raise FetchFailed("the server answered with a part of the file that was not asked for")
        return start, None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _on_error(exc: urllib.error.HTTPError, out: Path, start: int) -> bool:
    if exc.code == 416 and start:  # nothing lies beyond what we have: it is whole, or it is of another file
        if exc.headers.get("Content-Range", "").strip() == f"bytes */{start}":
            return True
        out.unlink(missing_ok=True)
        raise _Again("the server could not continue the download") from exc
    reason = http.client.responses.get(exc.code, "")
    if exc.code in _PASSING or exc.code >= 500:
        raise _Again(f"the server answered {exc.code} ({reason})") from exc
    raise Refused(exc.code, reason) from exc


def _on_break(exc: Exception) -> Exception:
    cause = getattr(exc, "reason", None) or exc
    if isinstance(cause, ssl.SSLCertVerificationError):
        return FetchFailed(f"the server's certificate is not trusted: {cause.verify_message}")
    if isinstance(cause, socket.gaierror):
        return _Again("the server's name could not be resolved")
    if isinstance(cause, TimeoutError):
        return _Again("the server did not answer in time")
    if isinstance(cause, OSError) and cause.strerror:
        return _Again(cause.strerror.lower())
    return _Again("the connection broke off")


def _too_much(out: Path, limit: int) -> FetchFailed:
    out.unlink(missing_ok=True)
    return FetchFailed(f"the server sends more than the {limit} bytes that were expected")


def _validator(response: Any) -> str:
    """The value for If-Range: a strong ETag, else the date, else nothing."""
    tag = str(response.headers.get("ETag", ""))
    return tag if tag and not tag.startswith("W/") else str(response.headers.get("Last-Modified", ""))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
