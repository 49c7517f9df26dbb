"""A language model as a Gradle module: what is written, and its conversation on this machine's JVM beside Python's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import absent
from helpers.cases.gguf_files import llama_file
from helpers.devices.chat import Chat, compiled, crossed, flows

import edgekit
from edgekit.core import Predictor
from edgekit.errors import Unsupported
from edgekit.llama import library
from edgekit.tasks.text_generation.conversation import Conversation

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
NAMED = {"package": "com.example.talk", "name": "talk"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights with a chat template, and a context that a few turns fill."""
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    folder = tmp_path_factory.mktemp("chat")
    # A prompt of bytes: the golden one takes 1500 tokens.
    file = llama_file(folder / "toy.gguf", tokenizer__chat_template=TEMPLATE)
    return edgekit.export(str(file), target="android", precision="f16", out=folder / "bundle", evidence=False).path


@pytest.fixture(scope="module")
def module(bundle: Path) -> Path:
    return edgekit.package(bundle, "gradle", out=bundle.with_name("module"), options=NAMED)


@pytest.fixture(scope="module")
def assets(module: Path) -> Path:
    return module / "src/main/assets/talk"


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="module")
def writer(bundle: Path) -> Predictor:
    return edgekit.load(bundle, threads=1)


def test_what_is_written(module: Path, assets: Path) -> None:
    native = module / "src/main/cpp"
    assert (native / "llama.cpp/src/llama.cpp").is_file() and (native / "llama.cpp/ggml/src/ggml-cpu").is_dir()
    assert not (native / "llama.cpp/ggml/src/ggml-cuda").exists()
    assert "16384" in (native / "CMakeLists.txt").read_text()
    assert (assets / "licences/llama.cpp.txt").read_text().startswith("MIT License")
    assert "uses-permission" not in (module / "src/main/AndroidManifest.xml").read_text()
    listed = {entry["name"] for entry in json.loads((assets / "files.json").read_text())["files"]}
    assert {"chat.json", "network.gguf", "licences/llama.cpp.txt"} <= listed
    for path in module.rglob("*"):
        ours = path.suffix in (".kt", ".kts", ".java", ".xml", ".pro", ".md") and "llama.cpp" not in path.parts
        if ours or (path.name in ("CMakeLists.txt", "chat_jni.cpp") and path.parent == native):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"edgekit[.-](?!package)[a-z]+|edgekit/phone|0\.0\.0-version", text), path
            assert not re.search(r"INTERNET|java\.net\.|System\.out|Log\.", text), path


def test_the_copied_source_is_whole_for_cmake(module: Path, tmp_path: Path) -> None:
    """Configured, not built: every file that a target names has to be there."""
    if shutil.which("cmake") is None:
        absent("there is no CMake")
    command = ["cmake", "-S", str(module / "src/main/cpp"), "-B", str(tmp_path), "-DCMAKE_BUILD_TYPE=Release"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_it_compiles_for_arm(tmp_path: Path) -> None:
    crossed(tmp_path)


def test_it_says_what_python_says(classes: Path, assets: Path, writer: Predictor) -> None:
    """Greedy, of random weights whose answers hold bytes that are no characters: the same text and the same counts."""
    conversation = Conversation(writer, context=2048)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    with Chat(classes, assets, threads=1) as chat:
        for i in range(8):
            question = " ".join(str(word) for word in rng.integers(0, 999, 60))
            finish, text, _, prompt, tokens, left = chat.ask(question, 100)
            mine = conversation.ask(question, most=100)
            assert (text, finish) == (mine.output, mine.details["finish"]), i
            assert (int(prompt), int(tokens)) == (mine.details["prompt_tokens"], mine.details["tokens"])
            assert bool(int(left)) == bool(mine.details["notes"])
        assert int(left) > 0, "the context was filled"


def test_the_system_prompt_stays(classes: Path, assets: Path, writer: Predictor) -> None:
    conversation = Conversation(writer, "Be brief.", context=2048)  # type: ignore[arg-type]
    with Chat(classes, assets, "Be brief.", threads=1) as chat:
        for question in ("one", " two\n"):
            assert chat.ask(question, 20)[1] == conversation.ask(question, most=20).output
    with Chat(classes, assets, "x" * 2000) as chat:
        assert "the system prompt takes 20" in chat.line()[1]


def test_a_cancellation(classes: Path, assets: Path) -> None:
    with Chat(classes, assets, threads=1) as chat:
        assert chat.ask("hello", 500, cancel=3)[0] == "cancelled"
        finish, _, _, _, tokens, _ = chat.ask("hello", 500, cancel=3, inside=True)
        assert (finish, int(tokens)) == ("cancelled", 3)
        assert chat.ask("again", 5)[0] in ("length", "end"), "and it goes on"


def test_what_cannot_be(classes: Path, assets: Path, tmp_path: Path) -> None:
    with Chat(classes, assets, threads=1) as chat:
        assert chat.do("test")[0] == "passed"
        assert "MB are free" in chat.do("memory", free=1000)[1]
        assert chat.do("memory", free=1 << 40)[0] == "enough"
        assert "empty" in chat.ask("  ")[1]
        assert "context holds" in chat.ask("x" * 3000)[1]
    damaged = shutil.copytree(assets, tmp_path / "damaged")
    (damaged / "network.gguf").write_bytes(b"GGUF")
    with Chat(classes, damaged) as chat:
        assert chat.line()[0] == "error"
    wrong = shutil.copytree(assets, tmp_path / "wrong")
    description = json.loads((wrong / "chat.json").read_text())
    description["golden"]["answer"] = "\x01" + description["golden"]["answer"]
    (wrong / "chat.json").write_text(json.dumps(description))
    with Chat(classes, wrong, threads=1) as chat:
        assert chat.do("test")[0] == "failed"


def test_its_flows(tmp_path: Path) -> None:
    """Kotlin's side, with warnings as errors: an answer in pieces, its beginning, and one cancelled inside a token."""
    assert flows(tmp_path).splitlines() == ["a b c d ", "length 4", "a b ", "a ", "the model is closed"]


def test_without_a_chat_template(tmp_path: Path, bundle: Path) -> None:
    file = llama_file(tmp_path / "bare.gguf")
    bare = edgekit.export(str(file), target="android", precision="f16", out=tmp_path / "bare", evidence=False)
    with pytest.raises(Unsupported, match="no chat template"):
        edgekit.package(bare.path, "gradle", out=tmp_path / "module")
