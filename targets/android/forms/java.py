"""Java for Android: from sources to a .jar that is the same bytes every time, and to the classes of an app (.dex)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edgekit.errors import ExportFailed
from edgekit.targets.android.forms.tools import dexer, run, tool
from edgekit.targets.common.apps import App, closure

#: The templates: java/ (loops), runtime/ (a model on a phone), demo/ (the app), aar/ (the library), stubs/ (Android).
PHONE = Path(__file__).parent.parent / "app"

#: Android 8 has the library of Java 8. Without lambdas its class files are those of Java 7, which the dexer takes.
_RELEASE, _VERSION_8, _VERSION_7 = "8", 52, 51


#: In the templates the class that answers a task's inputs.
_LOOP = "EdgekitLoop"


def sources_of(app: App, folders: Iterable[str]) -> list[tuple[Path, str]]:
    """The Java of a model on a phone: a template and its text, in which the loop of the task has its name.

    Args:
        folders: of `PHONE`, taken whole; of the loops come those that a task needs.
    """
    loops = PHONE / "java"
    whole = [file for folder in folders for file in sorted((PHONE / folder).glob("*.java"))]
    files = closure([loops / f"{app.loop}.java", *whole], [loops])
    return [(file, file.read_text(encoding="utf-8").replace(_LOOP, app.loop)) for file in files]


def stubs(work: Path) -> Path:
    """The signatures of Android that the sources use, compiled into `work`; they never go into anything."""
    return _compile([*(PHONE / "stubs").glob("*.java")], work / "stubs", [], work)


def classes_of(sources: Mapping[str, str], classpath: Sequence[Path], work: Path) -> dict[str, bytes]:
    """Name -> class file, of `sources`: path below the source folder -> text.

    Raises:
        MissingExtra: no javac. ExportFailed: it refuses a source, which is a defect of edgekit.
    """
    folder = work / "sources"
    for name, text in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    made = _compile(sorted(folder.rglob("*.java")), work / "classes", classpath, work)
    return {file.relative_to(made).as_posix(): file.read_bytes() for file in sorted(made.rglob("*.class"))}


def jar_of(classes: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as jar:
        for name in sorted(classes):
            jar.writestr(zipfile.ZipInfo(name), classes[name], zipfile.ZIP_DEFLATED)  # of 1980
    return buffer.getvalue()


def dex_of(classes: Mapping[str, bytes], work: Path) -> bytes:
    """The classes as Android runs them, in the form of version 035, which every version of it reads.

    Raises:
        MissingExtra: no java, or no dexer. ExportFailed: a class has what the dexer does not know.
    """
    folder = work / "dex"
    for name, body in classes.items():
        version = int.from_bytes(body[6:8], "big")
        if version != _VERSION_8 or b"LambdaMetafactory" in body:
            raise ExportFailed(f"{name} has a lambda or is of another version of Java ({version}): it cannot be dexed.")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body[:6] + _VERSION_7.to_bytes(2, "big") + body[8:])
    out = work / "classes.dex"
    run([tool("java"), "-cp", dexer(), "com.android.dx.command.Main", "--dex", f"--output={out}", folder], "the dexer")
    return out.read_bytes()


def _compile(files: Sequence[Path], out: Path, classpath: Sequence[Path], work: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    # A classpath of nothing would be the current folder.
    path = ":".join(str(entry) for entry in classpath) or str(work / "nothing")
    options = ["--release", _RELEASE, "-g:source,lines", "-Xlint:all,-options,-path,-classfile", "-Werror"]
    run([tool("javac"), *options, "-encoding", "UTF-8", "-proc:none", "-cp", path, "-d", out, *files], "javac")
    return out
