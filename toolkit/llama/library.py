"""llama.cpp: the folder of its shared libraries, a check that their version is that of the Python bindings, and
the bindings themselves, opened once.

The bindings are the distribution ``llama-cpp-python``, pinned: its source holds the llama.cpp that it was written for.
The libraries are taken from the first of these places that has them:

1. the folder LLAMA_CPP_LIB_PATH;
2. what ``python -m edgekit.llama`` built from that same source, in the cache (`edgekit.llama.build`);
3. the distribution itself, if pip built all of it.

Exporters import this module. Not here: anything about models.
"""

from __future__ import annotations

import collections
import ctypes
import functools
import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import MissingExtra, install_command

#: The bindings' version; its source distribution's sha256; the commit of llama.cpp in it.
VERSION = "0.3.36"
SDIST = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
COMMIT = "0c1e57098bba43ac29e6e3b677cdceebdd22334f"
#: How CMake builds them: for this processor, but without AMX. llama.cpp sets a thread's tiles up once, and whoever uses
#: them there too (PyTorch, XNNPACK) leaves them otherwise: its next product was an illegal instruction. It also holds
#: nearly all weights twice, which no laptop does.
OPTIONS = (
    *("CMAKE_BUILD_TYPE=Release", "BUILD_SHARED_LIBS=ON", "GGML_NATIVE=ON"),
    *("CMAKE_C_FLAGS=-U__AMX_INT8__", "CMAKE_CXX_FLAGS=-U__AMX_INT8__"),
    *("LLAMA_CURL=OFF", "LLAMA_OPENSSL=OFF", "LLAMA_BUILD_APP=OFF", "LLAMA_BUILD_SERVER=OFF"),
    *("LLAMA_BUILD_TESTS=OFF", "LLAMA_BUILD_EXAMPLES=OFF", "LLAMA_BUILD_TOOLS=ON"),
)
#: The command that makes the libraries.
BUILD = "python -m edgekit.llama"

#: The last lines of llama.cpp's log, its only source of reasons for errors.
_LINES: collections.deque[str] = collections.deque(maxlen=4000)


def folder() -> Path:
    """Where the source is unpacked and built. The same path every time, so that a compiler cache knows the files
    again.
    """
    from edgekit.common.files import cache_folder

    return cache_folder() / "llama" / VERSION


def prompts() -> Path:
    """The folder of the cache for what was computed of prompts."""
    from edgekit.common.files import cache_folder

    return cache_folder() / "prompts"


def _processor() -> str:
    """Hash of this machine's processor and its extensions, for which the libraries were compiled."""
    import hashlib
    import platform

    lines: list[str] = []
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        content = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        lines = [next((line for line in content if line.startswith(key)), "") for key in ("flags", "Features")]
    return hashlib.sha256("\n".join([platform.machine(), platform.system(), *lines]).encode()).hexdigest()[:16]


def stamp() -> dict[str, object]:
    """The facts of a finished build; written last, so that an incomplete build is never used."""
    return {"bindings": VERSION, "sdist": SDIST, "processor": _processor(), "options": list(OPTIONS)}


def is_built() -> bool:
    """Whether the cache holds a finished build of this version for this processor."""
    try:
        return bool(json.loads((folder() / "built.json").read_bytes()) == stamp())
    except (OSError, ValueError):
        return False


def libraries() -> Path | None:
    """The folder from which the bindings load the libraries; None if there is none."""
    named = os.environ.get("LLAMA_CPP_LIB_PATH")
    if named:
        return Path(named)
    if is_built():
        return folder() / "build" / "bin"
    spec = importlib.util.find_spec("llama_cpp")
    inside = Path(spec.origin).parent / "lib" if spec and spec.origin else None
    return inside if inside and any(inside.glob("*llama*")) else None


def state() -> tuple[bool, str, str]:
    """For `doctor`: whether all is installed, the installed parts, and the command that adds the rest. Imports nothing
    heavy.
    """
    try:
        version = importlib.metadata.version("llama_cpp_python")
    except importlib.metadata.PackageNotFoundError:
        return False, "", _install()
    where = libraries()
    if version != VERSION:
        return False, f"llama-cpp-python {version}", _install()
    if where is None:
        return False, f"llama-cpp-python {version}", BUILD
    return True, f"llama-cpp-python {version}, libraries in {where}", ""


def _install() -> str:
    return f"SKBUILD_WHEEL_CMAKE=false {install_command('slm')} && {BUILD}"


@functools.cache
def bindings() -> Any:
    """The module ``llama_cpp.llama_cpp`` (the C API by ctypes), with its library loaded and checked, and its log
    silenced.

    Raises:
        MissingExtra: the bindings or the libraries are not installed, or are not of the same version.
    """
    ok, present, remedy = state()
    if not ok:
        what = f"has {present} without libraries of the same version" if present else "has no llama.cpp"
        raise MissingExtra(
            f"language models in GGUF need llama-cpp-python {VERSION} and its libraries; this Python {what}.",
            hint=f"Install them with: {remedy}",
        )
    os.environ["LLAMA_CPP_LIB_PATH"] = str(libraries())
    try:
        api = _module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError, AttributeError) as exc:  # absent, for another processor, or older
        raise MissingExtra(
            f"llama.cpp's library in {libraries()} cannot be loaded by llama-cpp-python {VERSION}: {exc}.",
            hint=f"Build it with: {BUILD}",
        ) from exc
    _check(api)
    api.llama_log_set(_listener(api.llama_log_callback), ctypes.c_void_p(0))
    api.llama_backend_init()
    return api


def schema_converter() -> Callable[[str], str]:
    """The bindings' function from a JSON schema to a grammar. Raises as `bindings`."""
    bindings()
    convert: Callable[[str], str] = _module("llama_cpp.llama_grammar").json_schema_to_gbnf
    return convert


def _module(name: str) -> Any:
    """A module of ``llama_cpp`` without its package's own ``__init__``, which imports much that is not used here, and
    takes the library's log to itself.

    A later import of the package still gets all of it.
    """
    spec = importlib.util.find_spec("llama_cpp")
    if "llama_cpp" in sys.modules or spec is None:
        return importlib.import_module(name)
    sys.modules["llama_cpp"] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(name)
    finally:
        for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == "llama_cpp"]:
            del sys.modules[loaded]


def _check(api: Any) -> None:
    """Raise MissingExtra unless the loaded library is of the llama.cpp that the bindings were written for.

    Structures are passed by value, so another version would corrupt memory silently. A build of edgekit is
    known by its stamp, and the distribution's own by its version; a library in LLAMA_CPP_LIB_PATH must report its
    commit.
    """
    where = Path(os.environ["LLAMA_CPP_LIB_PATH"]).resolve()
    trusted = [folder() / "build" / "bin"] if is_built() else []
    trusted.append(Path(api.__file__).parent / "lib")
    if where in [path.resolve() for path in trusted]:
        return
    try:
        # A prefix is compared: other builds report the same commit shortened, sometimes with "-dirty".
        commit = ctypes.CFUNCTYPE(ctypes.c_char_p)(("ggml_commit", api._lib))().decode()
    except AttributeError:
        commit = "unknown"
    if len(commit) < 7 or not COMMIT.startswith(commit.removesuffix("-dirty")):
        raise MissingExtra(
            f"the library in {where} is of llama.cpp's commit {commit}; "
            f"llama-cpp-python {VERSION} is for {COMMIT[:9]}.",
            hint=f"Unset LLAMA_CPP_LIB_PATH, and build the right version with: {BUILD}",
        )


#: Keeps the callback alive for as long as the library may call it.
_HELD: list[Any] = []


def _listener(kind: Callable[[Any], Any]) -> Any:
    def listen(level: int, text: bytes, _: Any) -> None:
        _LINES.append(text.decode("utf-8", "replace"))

    _HELD.append(kind(listen))
    return _HELD[-1]


def log_lines() -> list[str]:
    """Lines that llama.cpp logged since `forget`, oldest first, the last few thousand."""
    return "".join(_LINES).splitlines()


def forget() -> None:
    """Clear the log of llama.cpp, so that `log_lines` returns later lines only."""
    _LINES.clear()
