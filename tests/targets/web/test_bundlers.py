"""npm packages as apps take them: built by Vite, webpack and Next, clicked in Chromium, their types checked by tsc."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import absent
from helpers.pages.browser import Browser
from helpers.pages.packages import FAKE, chromium, serving, until

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle
from edgekit.targets.common.apps import apps
from edgekit.targets.web import npm
from edgekit.targets.web.modules import TEMPLATES, example_of, fill

SOURCES, ROOM = Path(__file__).parent / "bundlers", Path(__file__).parents[3] / "build" / "bundlers"
#: What each bundler is told, and where it writes; Next is a server of its own.
BUILDS = {
    "vite": ("node_modules/vite/bin/vite.js", "build", "--outDir", "dist-vite", "--logLevel", "warn"),
    "webpack": ("webpack.mjs",),
}
INSTALL = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
TYPESCRIPT = "typescript@5.9.3"
NEXT = "node_modules/next/dist/bin/next"


def run(*command: str, room: Path = ROOM) -> str:
    """What a program says in the room; its words in the failure where it fails."""
    done = subprocess.run(command, cwd=room, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module", params=["onnxruntime-web", "litert-js"])
def runtime(request: pytest.FixtureRequest) -> str:
    """What runs the network in the page."""
    return str(request.param)


@pytest.fixture(scope="module")
def room(words: Bundle, package: Path, runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundlers, an app's source, and the package as npm installs it, cut into shards."""
    if runtime == "litert-js":
        out = tmp_path_factory.mktemp("litert")
        words = open_bundle(edgekit.export("ds-cnn-kws", "web", runtime=runtime, out=out / "bundle").path)
        package = out / "words"
        package.mkdir()
        npm.write(words, package, {"name": "@me/words"})
    if shutil.which("npm") is None:
        absent("there is no npm; get it with: make browser-tools")
    shutil.copytree(SOURCES, ROOM, dirs_exist_ok=True)
    for left in ("words", "node_modules/@me", "public"):
        shutil.rmtree(ROOM / left, ignore_errors=True)
    shutil.copytree(package, ROOM / "words")
    (ROOM / "public").mkdir()  # Vite and Next copy what is in it
    shutil.copyfile(words.path / words.manifest.golden.input, ROOM / "public" / "sound")
    run(*INSTALL)
    run(*INSTALL, "--no-save", "--install-links", "./words")
    return ROOM


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from chromium(tmp_path_factory.mktemp("profile"), *FAKE)


def click(browser: Browser, address: str, *, isolated: bool) -> None:
    browser.open(address)
    browser.evaluate(until('document.getElementById("go")?.onclick && true'))
    browser.evaluate('document.getElementById("go").click()')
    assert "stop go true" in browser.evaluate(until('document.getElementById("heard").textContent'))
    assert browser.evaluate("crossOriginIsolated") == isolated
    assert browser.told("Runtime.exceptionThrown") + browser.told("Log.entryAdded") == []


@pytest.mark.slow
@pytest.mark.parametrize("bundler", BUILDS)
def test_what_a_bundler_builds_answers(room: Path, browser: Browser, runtime: str, bundler: str) -> None:
    said = run("node", *BUILDS[bundler])
    assert "warn" not in said.lower(), said
    out = room / f"dist-{bundler}"
    if bundler == "webpack":
        for file in (room / "public" / "sound", room / "index.html"):
            shutil.copy(file, out)
    for isolated in (True, False):
        with serving(out, isolated=isolated) as site:
            click(browser, site.address, isolated=isolated)
            # The runtime, what starts its WebAssembly, and that once more for every thread but the first.
            threads = min(4, browser.evaluate("navigator.hardwareConcurrency")) if isolated else 1
            modules = len([path for path in site.asked if path.endswith(".mjs")])
            assert modules == (1 + threads if runtime == "onnxruntime-web" else 0)
            assert len([path for path in site.asked if path.endswith(".wasm")]) == 1


@contextmanager
def next_server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["node", NEXT, "start", "-H", "127.0.0.1", "-p", str(port)]
    child = subprocess.Popen(command, cwd=ROOM, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert any("Ready" in line for line in child.stdout)
        yield f"http://127.0.0.1:{port}/"
    finally:
        child.terminate()
        child.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("by", ["--turbopack", "--webpack"])
def test_next_renders_on_the_server_and_answers_in_the_browser(room: Path, browser: Browser, by: str) -> None:
    run("node", NEXT, "build", by)
    with next_server() as address:
        for path, isolated in (("", False), ("isolated", True)):
            click(browser, address + path, isolated=isolated)
            assert browser.evaluate('document.getElementById("server").textContent') == "Unsupported"


#: What the examples leave open, and what the types must refuse.
PROGRAM = """
import {{ {api}, microphone }} from "./index.js";

declare const file: File, another: File;
const stop = new AbortController();
export async function use() {{
{example}
    await {api}.load({{ signal: stop.signal, threads: 2, progress: (stage, share) => stage.length + share }});
    for await (const piece of microphone({{ rate: 16000, signal: stop.signal }})) piece.subarray(1);
    const any = await {api}.load({{ selfTest: false }});
    const {{ passed, errors }}: {{ passed: boolean; errors: object }} = await any.selfTest();
    await any.dispose();
    // @ts-expect-error
    await {api}.load({{ threads: "two" }});
    // @ts-expect-error
    any.nothing();
    return [passed, errors];
}}
"""


@pytest.mark.real
def test_typescript_takes_the_types_of_every_class(tmp_path: Path) -> None:
    """The examples of the READMEs among them."""
    if shutil.which("npm") is None:
        absent("there is no npm; get it with: make browser-tools")
    tools = ROOM.parent / "typescript"
    tools.mkdir(parents=True, exist_ok=True)
    run(*INSTALL, "--prefer-offline", TYPESCRIPT, room=tools)
    for app in apps():
        api = TEMPLATES / "api" / f"{app.api}.js"
        for name in ("core/types.d.ts", f"api/{app.api}.d.ts", "package/index.d.ts"):
            fill(name, tmp_path / app.api / name.removeprefix("package/"), {"EdgekitAPI": app.api})
        (tmp_path / app.api / "use.ts").write_text(PROGRAM.format(api=app.api, example=example_of(api)))
    programs = sorted(map(str, tmp_path.glob("*/use.ts")))
    assert len(programs) > 10
    options = ("--strict", "--noEmit", "--target", "es2023", "--module", "esnext", "--moduleResolution", "bundler")
    run("node", "node_modules/typescript/bin/tsc", *options, *programs, room=tools)
