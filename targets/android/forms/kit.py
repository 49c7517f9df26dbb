"""`edgekit package BUNDLE --as kit`: an archive that asks a phone over adb what a simulator cannot know.

It holds forms that the vendor's simulator computes wrongly, their repairs, and the parts of the bundle, each with the
answers of a processor. ``sh run.sh`` in it needs adb and nothing else. The phone's CPU is asked by a Linux build of the
runtime, as `bench --device adb` does; its HTP by Android's, with Qualcomm's libraries, which are the user's to bring.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.core import Bundle, Case, Form
from edgekit.errors import BadInput, Unsupported
from edgekit.targets.android.arm64 import onnx
from edgekit.targets.android.forms import native
from edgekit.targets.android.forms.archive import content, entries, write_aligned
from edgekit.targets.android.forms.tools import run, runtime, tool
from edgekit.targets.common import calls

OPTIONS = {
    "libraries": "Qualcomm's libraries for Android, whose licence is yours to accept, such as "
    "onnxruntime-android-qnn.aar,qnn-runtime.aar; without them the HTP is not asked"
}
_HERE = Path(__file__).parent.parent / "kit"
_JNI, _RUNTIME, _PLUGIN = "jni/arm64-v8a/", "libonnxruntime.so", "libonnxruntime_providers_qnn.so"
#: Library of Android -> what the program uses of it (the compiler may call memset and puts by itself).
_USED = {
    "libdl.so": ("dlopen", "dlsym", "dlerror"),
    "libc.so": (
        *("malloc", "exit", "printf", "fopen", "fread", "fseek", "ftell", "strcmp", "strncmp", "strchr", "memcpy"),
        *("memset", "puts", "__libc_init"),
    ),
}
_ANDROID = (
    *("-DEDGEKIT_ANDROID", "-fPIE", "-pie", "-nostdlib", "-fno-stack-protector", "-mno-outline-atomics", "-s"),
    *("-Wl,--dynamic-linker=/system/bin/linker64", "-Wl,--no-undefined", "-Wl,--hash-style=both"),
    *("-Wl,-z,max-page-size=16384", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"),
)


def write(bundle: Bundle, place: Path, options: Mapping[str, str], cases: Sequence[Case]) -> None:
    """Write the archive to the file `place`.

    Raises:
        Unsupported: the bundle's runtime has nothing to ask a phone. BadInput: a library that is none.
        MissingExtra: a tool is absent.
    """
    if not cases:
        raise Unsupported(
            f"{bundle.path.name} is for no accelerator that a phone could be asked about.",
            hint="Export for one, such as: edgekit export MODEL --board sm8650",
        )
    given = [Path(name).expanduser() for name in options.get("libraries", "").split(",") if name]
    with tempfile.TemporaryDirectory(prefix="edgekit-kit-") as folder:
        work = Path(folder)
        kit = onnx.kit()
        files: dict[str, bytes | Path] = {name: _HERE / name for name in ("run.sh", "README.md")}
        files["phone/on_phone.sh"] = _HERE / "on_phone.sh"
        files |= {f"phone/linux/{name}": file for name, file in kit.files.items() if name != "replay"}
        files["phone/linux/distance"] = compile_program(work / "linux")
        if given:
            libraries = _libraries(given)
            files |= {f"phone/android/{name}": body for name, body in libraries.items()}
            files["phone/android/distance"] = compile_program(work / "android", _ANDROID)
        for case in cases:
            files |= _files_of(case, work)
        listed = "".join(f"{case.name} {case.least:.0f}\n" for case in cases)
        write_aligned(place, {**files, "phone/cases/list": listed.encode()}, {})


def compile_program(work: Path, android: Sequence[str] = ()) -> Path:
    """The program that measures distances, compiled in the folder `work` for 64-bit Arm.

    Args:
        android: flags for Android's own C library; () compiles for Debian's, as `edgekit.targets.android.arm64.kit`.

    Raises:
        MissingExtra: no compiler, or no headers of the runtime. ExportFailed: it could not be compiled.
    """
    work.mkdir()
    compiler, made = tool(native.COMPILER), work / "distance"
    if android:
        native.link_stubs(compiler, _USED, work)
    flags = [*native.warnings, *android, *native.runtime_headers(work)]
    linked = [f"-L{work}", "-ldl", "-lc"] if android else ["-ldl"]
    run([compiler, *flags, _HERE / "distance.c", "-o", made, *linked], native.COMPILER)
    return made


def _libraries(given: Sequence[Path]) -> dict[str, bytes]:
    """The libraries for 64-bit Arm of Android archives; onnxruntime itself where none of them brings it."""
    found: dict[str, bytes] = {}
    for file in given:
        if not file.is_file():
            raise BadInput(f"there is no {file}.", hint="Give the .aar files, separated by commas.")
        names = [entry.name for entry in entries(file) if entry.name.startswith(_JNI) and entry.name.endswith(".so")]
        found |= {name.removeprefix(_JNI): content(file, name) for name in names}
    if _PLUGIN not in found:
        raise BadInput(
            f"none of {', '.join(file.name for file in given)} has {_PLUGIN} for 64-bit Arm.",
            hint="It is in com.qualcomm.qti:onnxruntime-android-qnn; com.qualcomm.qti:qnn-runtime has what it opens.",
        )
    return found if _RUNTIME in found else {**found, _RUNTIME: content(runtime(), _JNI + _RUNTIME)}


def _files_of(case: Case, work: Path) -> dict[str, bytes | Path]:
    place = f"phone/cases/{case.name}"
    files: dict[str, bytes | Path] = {f"{place}.onnx": case.model}
    for end, side in (("calls", 0), ("answers", 1)):
        file = work / f"{case.name}.{end}"
        calls.write(file, [call[side] for call in case.calls])
        files[f"{place}.{end}"] = file
    if case.compiled:
        files[f"{place}.compiled"] = case.compiled[0].name.encode()
        files |= {f"phone/cases/{file.name}": file for file in case.compiled}
    return files


FORM = Form("-kit.zip", write, options=OPTIONS, cases=True)
