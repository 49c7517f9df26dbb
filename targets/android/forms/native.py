"""The demo app's one native library, cross-compiled without Android's NDK.

A C compiler for 64-bit Arm and no C library: the source declares the few functions that it uses, and is linked against
stubs of Android's libraries that hold their names only. Android exports every function that is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.common.files import cache_folder, make_once
from edgekit.errors import ExportFailed
from edgekit.targets.android.forms.archive import content
from edgekit.targets.android.forms.elf import PAGE, check_library
from edgekit.targets.android.forms.java import PHONE
from edgekit.targets.android.forms.tools import RUNTIME, include, run, runtime, tool

COMPILER = "aarch64-linux-gnu-gcc"
#: Library of Android -> what is used of it (the compiler may call the last three by itself).
_USED = {"libdl.so": ("dlopen", "dlsym", "dlerror"), "libc.so": ("memcpy", "memmove", "memset")}
warnings = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")
_FLAGS = (
    *("-fPIC", "-shared", "-nostdlib", "-fno-stack-protector", "-mno-outline-atomics"),
    "-fno-asynchronous-unwind-tables",
    *("-s", f"-Wl,-z,max-page-size={PAGE}", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--no-undefined"),
    *("-Wl,--build-id=none", "-Wl,-soname,libedgekit.so", "-Wl,--hash-style=both"),
)


def headers(work: Path) -> list[str]:
    """Flags that find the headers: onnxruntime's, and Java's."""
    folder = include()
    return [*runtime_headers(work), f"-isystem{folder}", f"-isystem{folder / 'linux'}"]


def runtime_headers(work: Path) -> list[str]:
    """Flags that find onnxruntime's headers, out of its library for Android. Raises MissingExtra."""
    place = work / "headers"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("onnxruntime_c_api.h", "onnxruntime_ep_c_api.h"):
        (place / name).write_bytes(content(runtime(), f"headers/{name}"))
    return [f"-isystem{place}"]


def library() -> bytes:
    """libedgekit.so for arm64-v8a, from the cache or compiled.

    Raises:
        MissingExtra: no compiler, no JDK or no runtime. ExportFailed: it could not be compiled.
    """
    source = PHONE / "demo" / "graph_jni.c"
    compiler = tool(COMPILER)
    version = run([compiler, "--version"], COMPILER)
    read = [source.read_bytes(), repr((warnings, _FLAGS, _USED, RUNTIME)).encode(), version.encode()]
    place = cache_folder() / "phone" / f"libedgekit-{hashlib.sha256(b'|'.join(read)).hexdigest()[:16]}.so"

    def make(fresh: Path) -> None:
        work = fresh.parent
        link_stubs(compiler, _USED, work)
        flags = [*warnings, *_FLAGS, *headers(work)]
        run([compiler, *flags, source, "-o", fresh, f"-L{work}", "-ldl", "-lc"], COMPILER)
        if not fresh.is_file():
            raise ExportFailed(f"{COMPILER} gave no library.")
        check_library(fresh.read_bytes(), "libedgekit.so", "arm64-v8a")

    return make_once(place, make).read_bytes()


def link_stubs(compiler: str, used: Mapping[str, Sequence[str]], work: Path) -> None:
    """Stubs of Android's libraries in the folder `work`. used: library -> what is used of it."""
    for name, functions in used.items():
        stub = work / f"{name}.c"
        stub.write_text("".join(f"void {function}(void) {{}}\n" for function in functions), encoding="ascii")
        run([compiler, *_FLAGS[:6], "-w", "-fno-builtin", f"-Wl,-soname,{name}", stub, "-o", work / name], COMPILER)
