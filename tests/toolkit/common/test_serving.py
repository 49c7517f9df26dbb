"""`edgekit serve`: what a browser gets, and what nobody gets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from edgekit.common.serving import server
from edgekit.errors import BadInput

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "page"
    (place / "model").mkdir(parents=True)
    (place / "index.html").write_text("<!doctype html>")
    (place / "ort.mjs").write_text("export {}")
    (place / "ort.wasm").write_bytes(b"\0asm")
    (place / "model" / "network.onnx").write_bytes(CONTENT)
    (place / "empty.js").touch()
    (tmp_path / "secret.txt").write_text("secret")
    (place / "way-out").symlink_to(tmp_path)
    (place / ".env").write_text("secret")
    (place / "model" / ".git").mkdir()
    (place / "model" / ".git" / "config").write_text("secret")
    (place / "plain").symlink_to(place / ".env")
    os.mkfifo(place / "pipe")
    return place


@contextmanager
def asking(folder: Path, *, isolated: bool = True) -> Iterator[HTTPConnection]:
    with server(folder, isolated=isolated) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        connection = HTTPConnection("127.0.0.1", serving.server_address[1], timeout=10)
        try:
            yield connection
        finally:
            connection.close()
            serving.shutdown()


def get(connection: HTTPConnection, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer, answer.read()


def test_files_have_their_types_and_the_headers_of_isolation(folder: Path) -> None:
    with asking(folder) as connection:
        for path, kind in (
            ("/", "text/html; charset=utf-8"),
            ("/index.html?x=1", "text/html; charset=utf-8"),
            ("/ort.mjs", "text/javascript; charset=utf-8"),
            ("/ort.wasm", "application/wasm"),
            ("/model/network.onnx", "application/octet-stream"),
        ):
            answer, _ = get(connection, path)
            assert (answer.status, answer.headers["Content-Type"]) == (200, kind), path
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        answer, body = get(connection, "/model/network.onnx", "HEAD")
        assert (answer.headers["Content-Length"], body) == (str(len(CONTENT)), b"")
        assert get(connection, "/empty.js")[0].status == 200
    with asking(folder, isolated=False) as connection:
        assert get(connection, "/")[0].headers["Cross-Origin-Opener-Policy"] is None


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=10-19", 206, CONTENT[10:20]),
        ("bytes=2500-", 206, CONTENT[2500:]),
        ("bytes=-5", 206, CONTENT[-5:]),
        ("bytes=2550-9999", 206, CONTENT[2550:]),
        ("bytes=0-", 200, CONTENT),
        ("bytes=-", 200, CONTENT),
        ("bytes=1-2,4-5", 200, CONTENT),
        ("lines=1-2", 200, CONTENT),
        ("bytes=2560-", 416, b""),
        ("bytes=20-10", 416, b""),
        ("bytes=-0", 416, b""),
    ],
)
def test_parts_of_a_file(folder: Path, asked: str, status: int, part: bytes) -> None:
    with asking(folder) as connection:
        answer, body = get(connection, "/model/network.onnx", Range=asked)
        assert (answer.status, body) == (status, part)
        if status == 206:
            assert answer.headers["Content-Range"].endswith(f"/{len(CONTENT)}")
        assert get(connection, "/")[0].status == 200  # the connection goes on


def test_a_file_that_has_not_changed_is_not_sent_again(folder: Path) -> None:
    with asking(folder) as connection:
        changed = get(connection, "/ort.wasm")[0].headers["Last-Modified"]
        answer, body = get(connection, "/ort.wasm", If_Modified_Since=changed)
        assert (answer.status, body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/model/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/way-out/secret.txt",
        "//etc/passwd",
        "/model",
        "/model/",
        "/missing",
        "/.env",
        "/%2eenv",
        "/model/.git/config",
        "/plain",
        "/pipe",
        "/%00",
        "/" + "x" * 5000,
    ],
)
def test_what_nobody_gets(folder: Path, path: str) -> None:
    with asking(folder) as connection:
        answer, body = get(connection, path)
        assert answer.status == 404
        assert b"secret" not in body and b"network.onnx" not in body


@pytest.mark.parametrize(
    ("named", "status"),
    [
        *((name, 200) for name in ("localhost", "LOCALHOST:80", "localhost.", "127.0.0.1", "127.0.0.1:9")),
        *((name, 200) for name in ("[::1]", "[::1]:8000")),
        *((name, 421) for name in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "me@localhost")),
        *((name, 421) for name in ("", "0.0.0.0", "192.168.1.9", "[::1", "localhost evil.example")),
    ],
)  # fmt: skip
def test_a_page_elsewhere_cannot_lead_its_own_name_here(folder: Path, named: str, status: int) -> None:
    with asking(folder) as connection:
        answer, body = get(connection, "/", Host=named)
        assert (answer.status, body == b"<!doctype html>") == (status, status == 200)


@pytest.mark.parametrize("heads", [b"", b"Host: localhost\r\nHost: evil.example\r\n"])
def test_a_request_names_one_host(folder: Path, heads: bytes) -> None:
    with server(folder) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        with socket.create_connection(serving.server_address[:2], timeout=10) as line:
            line.sendall(b"GET / HTTP/1.1\r\n" + heads + b"\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 400 ")
        serving.shutdown()


def test_the_name_that_was_asked_for_is_its_own(folder: Path) -> None:
    name = socket.gethostname()
    try:
        serving = server(folder, name)
    except BadInput:
        pytest.skip("this machine's name leads nowhere")
    with serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        connection = HTTPConnection(*serving.server_address[:2], timeout=10)
        assert get(connection, "/", Host=f"{name.upper()}:1")[0].status == 200
        assert get(connection, "/", Host=str(serving.server_address[0]))[0].status == 200
        assert get(connection, "/", Host="evil.example")[0].status == 421
        connection.close()
        serving.shutdown()


@pytest.mark.parametrize(
    ("asked", "status"), [("bytes=0-", 200), ("bytes=5-9", 416), ("bytes=-5", 200), ("bytes=9-5", 416)]
)
def test_a_part_of_an_empty_file(folder: Path, asked: str, status: int, capfd: pytest.CaptureFixture[str]) -> None:
    with asking(folder) as connection:
        answer, body = get(connection, "/empty.js", Range=asked)
        assert (answer.status, body) == (status, b"")
        assert get(connection, "/")[0].status == 200
    assert capfd.readouterr().err == ""


def test_a_file_that_cannot_be_read(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "ort.wasm").chmod(0)
    with asking(folder) as connection:
        readable = os.access(folder / "ort.wasm", os.R_OK)  # root reads everything
        assert get(connection, "/ort.wasm")[0].status == (200 if readable else 404)
    assert capfd.readouterr().err == ""


def test_no_folder_and_no_port(folder: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder"):
        server(folder / "missing")
    with server(folder) as serving, pytest.raises(BadInput, match="cannot be had"):
        server(folder, port=serving.server_address[1])
    with pytest.raises(BadInput, match="cannot be had"):
        server(folder, port=70000)


def test_the_verb_serves_until_it_is_interrupted(folder: Path) -> None:
    command = [sys.executable, "-c", "from edgekit.cli.command import main; main()"]
    process = subprocess.Popen(
        [*command, "serve", str(folder), "--port", "0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline().decode()
            assert line, "it ended"
            text += line
        address = json.loads(text)["address"]
        connection = HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=10)
        assert get(connection, "/")[0].status == 200
        connection.close()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, b"")
    finally:
        process.kill()
        process.wait()
