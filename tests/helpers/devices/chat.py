"""The conversation of a Gradle module on this machine: its library compiled for it, its Java on a JVM.

And a process with a conversation, of a module or of a Swift package (`helpers.devices.swift_chat`).
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from conftest import absent
from helpers.devices.jvm import HARNESS, JAVA, KOTLIN, javac, kotlin_jars, kotlinc

from edgekit.bundles.bundle import open_bundle
from edgekit.llama import build, library
from edgekit.targets.android.forms.java import PHONE
from edgekit.targets.common.language import LAYER, settings_of, write_language

CHAT = PHONE / "chat"
PEER = Path(__file__).parents[2] / "targets" / "chat" / "ChatPeer.java"
_STRICT = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC")
_CLASS = '-DEDGEKIT_CLASS="edgekit/phone/loops/NativeLanguage"'


def includes() -> list[str]:
    """Flags that find the headers of llama.cpp and of Java."""
    java = Path(str(shutil.which("javac"))).resolve().parent.parent / "include"
    origin = build.source() / "vendor" / "llama.cpp"
    folders = (origin / "include", origin / "ggml" / "include", java, java / "linux")
    return [f"-I{LAYER}", *(f"-isystem{folder}" for folder in folders)]


def compiled(out: Path, peer: Path = PEER) -> list[str]:
    """Our layer for this machine, over the libraries that the tests use anyway, and the Java, in the same folder; the
    command that starts the class of the file `peer`."""
    libraries = library.libraries()
    if libraries is None or shutil.which("g++") is None:
        absent("there is no llama.cpp, or no g++; get them with: make llama")
    javac([*sorted(CHAT.glob("*.java")), JAVA / "Json.java", JAVA / "Watch.java", peer], out)
    linked = [f"-L{libraries}", "-lllama", "-lggml", "-lggml-base", f"-Wl,-rpath,{libraries}"]
    sources = [*map(str, LAYER.glob("*.cpp")), str(CHAT / "chat_jni.cpp")]
    command = ["g++", *_STRICT, "-shared", _CLASS, *includes(), *sources, *linked, "-o", str(out / "libedgekitchat.so")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ["java", f"-Djava.library.path={out}", "-cp", str(out), f"edgekit.phone.loops.{peer.stem}"]


def crossed(out: Path) -> None:
    """Compile our layer for 64-bit Arm; it is not linked."""
    if shutil.which("aarch64-linux-gnu-g++") is None:
        absent("there is no compiler for Arm; get it with: make phone-tools")
    for source in (*LAYER.glob("*.cpp"), CHAT / "chat_jni.cpp"):
        march = "-march=armv8.2-a+dotprod"
        command = ["aarch64-linux-gnu-g++", *_STRICT, march, _CLASS, *includes(), "-c", str(source), "-o"]
        done = subprocess.run([*command, str(out / f"{source.stem}.o")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def flows(out: Path) -> str:
    """The module's Kotlin, and a program that collects its flows from a model that is made up; what it prints."""
    java = out / "java"
    java.mkdir()
    stubs = [HARNESS / "stubs" / f"{name}.java" for name in ("ActivityManager", "AssetManager", "Build", "Context")]
    javac([*sorted(CHAT.glob("*.java")), JAVA / "Json.java", JAVA / "Watch.java", *stubs], java)
    kotlin = [CHAT / "Chat.kt", KOTLIN / "ModelFiles.kt", KOTLIN / "ModelException.kt", KOTLIN / "SelfTestReport.kt"]
    loops = [JAVA / f"{name}.java" for name in ("Description", "Graph", "SelfTest", "Tensor", "Vectors", "Numbers")]
    javac([*loops, JAVA / "Json.java", JAVA / "Watch.java"], java)
    kotlinc([*kotlin, PEER.with_name("Flows.kt")], out / "kotlin", [str(java)], "-Xexplicit-api=strict")
    path = ":".join([str(java), str(out / "kotlin"), *kotlin_jars()])
    done = subprocess.run(["java", "-cp", path, "edgekit.phone.FlowsKt"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Said:
    """An answer.

    Attributes:
        finish: how it ended. text: of it. pieces: what came of it before its end. prompt, tokens: of prompt and answer.
        left: turns that did not fit. computed: tokens. passes: over the model.
    """

    finish: str
    text: str
    pieces: str
    prompt: int
    tokens: int
    left: int
    computed: int
    passes: int


class Chat:
    """A process with a conversation. `peer`: the command that starts it. `assets`: of the module or package. `prompts`:
    a folder for what is computed of the system prompt."""

    def __init__(
        self, peer: Sequence[str], assets: Path, system: str = "", threads: int = 2, prompts: Path | None = None
    ) -> None:
        command = [*peer, str(assets), str(threads), system, str(prompts or "")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: Any) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)

    def do(self, what: str, **given: Any) -> Sequence[str]:
        """What it answers: how it ended, then the fields."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **given}, ensure_ascii=False) + "\n")
        self._process.stdin.flush()
        return self.line()

    def line(self) -> Sequence[str]:
        assert self._process.stdout is not None
        return [
            base64.b64decode(field).decode() for field in self._process.stdout.readline().rstrip("\n").split("\t")[:-1]
        ]

    def ask(self, text: str, most: int = 64, **given: Any) -> Said:
        """Its answer; AssertionError with what it says where there is none."""
        fields = self.do("ask", text=text, most=most, **given)
        assert len(fields) == 4, fields
        return Said(*fields[:3], *json.loads(fields[3]))


def assets_of(bundle: Path, schema: Mapping[str, Any], cache: str = "f16") -> Path:
    """What an app gets of a bundle, with a grammar of `schema` that is named "place"; in a folder beside the bundle."""
    out, schemas = bundle.with_name(f"assets-{cache}"), bundle.with_name("schemas")
    out.mkdir()
    schemas.mkdir(exist_ok=True)
    (schemas / "place.json").write_text(json.dumps(schema))
    write_language(open_bundle(bundle), out, settings_of({"schemas": str(schemas), "cache": cache}))
    return out
