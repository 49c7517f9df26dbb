"""Java and Kotlin of the phone packages on this machine's JVM, while Python runs the parts of a real bundle for them.
Swift does the same (swift.py).

The two talk through pipes in the form of `edgekit.targets.common.calls`. Outputs of a part stay here, as they stay in
the runtime's memory on a phone; the other side gets numbers for them, and asks for the values that it looks at.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from conftest import absent
from helpers.devices import node
from numpy.typing import NDArray

from edgekit.bundles.bundle import open_bundle
from edgekit.core import Runner
from edgekit.targets.android.forms.java import PHONE
from edgekit.targets.common import calls
from edgekit.targets.common.assets import write_assets

JAVA = PHONE / "java"
KOTLIN = JAVA.with_name("kotlin")
HARNESS = Path(__file__).parents[2] / "targets" / "java"
REPO = Path(__file__).parents[3]
#: As edgekit.phone.loops.Tensor.Type counts them.
_TYPES = {"float32": 0, "int64": 1, "uint8": 2, "int8": 3, "int32": 4, "bool": 5}


def javac(sources: Sequence[Path], out: Path, *, classpath: str = "", release: str = "8") -> Path:
    """Compile, with every warning an error. Android 8 has the library of Java 8, and little more."""
    if shutil.which("javac") is None:
        absent("there is no javac; get it with: make android-tools")
    command = ["javac", "--release", release, "-Xlint:all,-options", "-Werror", "-encoding", "UTF-8", "-d", str(out)]
    command += ["-cp", classpath] if classpath else []
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    return out


class Peer:
    """A program that answers samples, and asks for runs of the parts."""

    def __init__(self, command: Sequence[str], runners: dict[str, Runner]) -> None:
        self.runners, self._kept, self._next = runners, dict[int, NDArray[Any]](), 1
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: Any) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)

    def ask(self, **given: Any) -> dict[str, Any]:
        """Send arrays or texts; what it answers, texts as str. Names with a space: an underscore."""
        self._put({name.replace("_", " "): _array(value) for name, value in given.items()})
        while True:
            (frame,) = calls.take(self._stdout)
            verb, *rest = frame
            name = verb.removeprefix("!")
            values = {key: frame[key] for key in rest}
            if name == "answer":
                assert not self._kept or "error" in values or int(values["open"][0]) == len(self._kept)
                texts = {key for key, value in values.items() if value.dtype == np.uint8} - {"pixels", "fitted"}
                texts -= {key for key in texts if key.startswith("tensor ")}
                return {key: value.tobytes().decode() if key in texts else value for key, value in values.items()}
            self._serve(name, values)

    def _serve(self, name: str, values: dict[str, NDArray[Any]]) -> None:
        if name.startswith("places "):
            _, file, side = name.split()
            specs = getattr(self.runners[file], side)
            sizes = [[size if isinstance(size, int) else -1 for size in one.shape] for one in specs]
            found = zip(specs, sizes, strict=True)
            self._put({f"{i}": np.array([_TYPES[one.dtype], *size], np.int64) for i, (one, size) in enumerate(found)})
        elif name.startswith("run "):
            runner = self.runners[name[4:]]
            values = {runner.inputs[int(k[1:])].name if k[0] == "#" else k: v for k, v in values.items()}
            feeds = {k.removeprefix("@"): self._kept[int(v[0])] if k[0] == "@" else v for k, v in values.items()}
            self._put({key: self._keep(value) for key, value in self.runners[name[4:]](feeds).items()})
        elif name.startswith("reset "):
            self.runners[name[6:]].reset()
        elif name == "get":
            self._put({"values": self._kept[int(values["@values"][0])]})
        elif name == "free":
            del self._kept[int(values["@values"][0])]
        else:
            raise AssertionError(f"an unknown verb {name!r}")

    def _keep(self, array: NDArray[Any]) -> NDArray[np.int64]:
        self._kept[self._next] = array
        self._next += 1
        return np.array([self._next - 1, _TYPES[array.dtype.name], *array.shape], np.int64)

    def _put(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        assert self._process.stdin is not None
        calls.put(self._process.stdin, [tensors])
        self._process.stdin.flush()

    @property
    def _stdout(self) -> Any:
        return self._process.stdout


class Jvm(Peer):
    """One in Java."""

    def __init__(self, classpath: str, arguments: Sequence[str], runners: dict[str, Runner]) -> None:
        super().__init__(["java", "-Xss4m", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-cp", classpath, *arguments], runners)


def _array(value: Any) -> NDArray[Any]:
    if isinstance(value, str):
        return np.frombuffer(value.encode(), np.uint8)
    return np.asarray(value)


def loops(out: Path) -> str:
    """The loops and the test's own main, compiled; a class path."""
    return str(javac([*sorted(JAVA.glob("*.java")), *sorted(HARNESS.glob("*.java"))], out))


#: For `params`: the languages of the loops. Swift's compiler takes a minute and a half for them.
LANGUAGES = ("java", pytest.param("swift", marks=pytest.mark.thorough), "javascript")


def started(language: str, program: str, folder: Path, runners: dict[str, Runner]) -> Peer:
    """The loops of a language (`loops` here, in swift.py or in node.py) over the assets in a folder."""
    if language != "java":
        return Peer([program, str(folder)] if language == "swift" else node.command(program, folder), runners)
    return Jvm(program, ["edgekit.phone.loops.Loops", str(folder)], runners)


def kotlin_jars() -> list[str]:
    """The compiler's own jars: the compiler, its library and coroutines."""
    jars = sorted(map(str, (REPO / "build" / "kotlin" / "run_kotlin_kernel" / "jars").glob("*.jar")))
    if not jars:
        absent("there is no Kotlin compiler; get it with: make android-tools")
    return jars


def kotlinc(sources: Sequence[Path], out: Path, classpath: Sequence[str], *options: str) -> None:
    """Compile, with every warning an error."""
    jars = kotlin_jars()
    command = ["java", "-Xmx900m", "-XX:TieredStopAtLevel=1", "-cp", ":".join(jars)]
    command += ["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect", "-jvm-target", "17"]
    command += ["-language-version", "2.1", "-Werror", *options, "-cp", ":".join([*jars, *classpath]), "-d", str(out)]
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or done.stdout


def app(out: Path, runtime: str) -> str:
    """The modules' Kotlin over `runtime` (``"OnnxGraph"`` or ``"LiteRtGraph"``), stand-ins for Android and the runtimes
    (`HARNESS`), and an app that answers samples; a class path."""
    (out / "java").mkdir()
    (out / "kotlin").mkdir()
    stubs = sorted((HARNESS / "stubs").glob("*.java"))
    javac([*sorted(JAVA.glob("*.java")), *sorted(HARNESS.glob("*.java")), *stubs], out / "java")
    other = {"OnnxGraph": "LiteRtGraph", "LiteRtGraph": "OnnxGraph"}[runtime]
    sources = [file for file in sorted(KOTLIN.glob("*.kt")) if file.stem != other]
    main = HARNESS.parent / "kotlin" / "Phone.kt"
    kotlinc([*sources, main], out / "kotlin", [str(out / "java")], "-Xexplicit-api=strict")
    return ":".join([str(out / "java"), str(out / "kotlin"), *kotlin_jars()])


class App:
    """An app with one model: its assets, its files, and the parts that answer in its runtime's place."""

    def __init__(self, classpath: str, folder: Path, bundle: Path, runners: dict[str, Runner]) -> None:
        self.assets, self.files = folder / "assets" / "edgekit-model", folder / "files"
        self.assets.mkdir(parents=True)
        self.files.mkdir()
        write_assets(open_bundle(bundle), self.assets)
        self.listed = json.loads((self.assets / "files.json").read_text())["files"]
        names = {Path(one["name"]).stem: f"{one['sha256']}{Path(one['name']).suffix}" for one in self.listed}
        self.names = {part: names[part] for part in runners}
        self.runners = {names[part]: runner for part, runner in runners.items()}
        arguments = ["edgekit.phone.PhoneKt", str(self.assets.parent), str(self.files)]
        self.jvm = Jvm(classpath, arguments, self.runners)

    def __enter__(self) -> App:
        return self

    def __exit__(self, *failed: Any) -> None:
        self.jvm.__exit__()
