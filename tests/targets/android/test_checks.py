"""Libraries and archives for Android: what is refused, by name, and that nothing else comes out of a damaged file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from helpers.devices.android_files import MANIFEST, archive, elf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import BadInput, OverBudget
from edgekit.targets.android.forms.archive import entries, write_aligned
from edgekit.targets.android.forms.checks import check_archive, check_size, permissions_of
from edgekit.targets.android.forms.elf import check_library, read_library

LIBRARY = "lib/arm64-v8a/liba.so"

# --- libraries --------------------------------------------------------------------------------------------------------


def test_a_library_is_read() -> None:
    library = check_library(elf(needed=("libc.so", "libm.so")), "liba.so", "arm64-v8a")
    assert (library.bits, library.machine, library.needed) == (64, 183, ("libc.so", "libm.so"))
    assert [segment.alignment for segment in library.loads] == [16384, 16384]
    assert check_library(elf(wide=False, machine=40, alignment=4096), "liba.so", "armeabi-v7a").bits == 32


def test_four_kilobytes_are_refused_with_the_library_and_the_segment() -> None:
    with pytest.raises(BadInput, match=r"lib/x/liba\.so: LOAD segment 0 \(offset 0x0\) is aligned to 4096 bytes"):
        check_library(elf(alignment=4096), "lib/x/liba.so", "arm64-v8a")


@pytest.mark.parametrize(
    ("data", "abi", "said"),
    [
        (elf(dynamic=[(22, 0)]), "arm64-v8a", "text relocations"),
        (elf(dynamic=[(30, 4)]), "arm64-v8a", "text relocations"),
        (elf(flags=(7,)), "arm64-v8a", "both writable and executable"),
        (elf(flags=()), "arm64-v8a", "table of names lies in no segment"),
        (elf(flags=(), needed=(), dynamic=[]), "arm64-v8a", "no LOAD segment"),
        (elf(shift=4096), "arm64-v8a", "table of names|as its alignment"),
        (elf(needed=(), shift=4096), "arm64-v8a", "does not lie in the file as its alignment of 16384"),
        (elf(machine=62), "arm64-v8a", "another processor"),
        (elf(), "mips", "no ABI 'mips'"),
        (b"\x7fELF", "arm64-v8a", "damaged"),
        (b"", "arm64-v8a", "damaged"),
    ],
)
def test_what_a_phone_would_not_load(data: bytes, abi: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check_library(data, "liba.so", abi)


@given(st.binary(max_size=300), st.integers(0, 400), st.booleans())
def test_a_damaged_library_is_one_typed_error(noise: bytes, at: int, wide: bool) -> None:
    whole = elf(wide=wide, machine=183 if wide else 40)
    for data in (noise, whole[:at], whole[:at] + noise + whole[at + len(noise) :]):
        try:
            read_library(data, "liba.so")
        except BadInput as exc:
            assert "liba.so" in exc.message


# --- archives ---------------------------------------------------------------------------------------------------------


def apk(folder: Path, **more: bytes) -> Path:
    """An app with a library and a model, laid out as it should be."""
    files = {"AndroidManifest.xml": MANIFEST, LIBRARY: elf(), "assets/m/network.onnx": b"model" * 99, **more}
    write_aligned(folder / "a.apk", files, {LIBRARY: 16384})
    return folder / "a.apk"


def test_an_archive_that_is_laid_out_well_passes_and_has_the_same_bytes_again(tmp_path: Path) -> None:
    facts = check_archive(apk(tmp_path))
    assert facts.libraries == {"arm64-v8a": {"liba.so": len(elf())}}
    assert facts.stored == ["assets/m/network.onnx"]
    first = (tmp_path / "a.apk").read_bytes()
    assert apk(tmp_path).read_bytes() == first
    assert zipfile.ZipFile(io.BytesIO(first)).testzip() is None
    starts = {entry.name: entry.start for entry in entries(tmp_path / "a.apk")}
    assert starts[LIBRARY] % 16384 == 0
    assert not any(start % 4 for start in starts.values())


def test_a_library_off_a_page_is_refused(tmp_path: Path) -> None:
    made = archive(tmp_path / "a.apk", {"AndroidManifest.xml": MANIFEST + b" ", LIBRARY: elf()})
    with pytest.raises(BadInput, match="starts at byte"):
        check_archive(made)


@pytest.mark.parametrize("name", [LIBRARY, "assets/m/network.onnx", "resources.arsc"])
def test_what_is_mapped_may_not_be_compressed(tmp_path: Path, name: str) -> None:
    made = archive(tmp_path / "a.apk", {name: bytes(500) if name != LIBRARY else elf()}, packed=[name])
    with pytest.raises(BadInput, match="compressed, but must be stored"):
        check_archive(made)


def test_a_library_without_a_form_for_64_bits_is_refused(tmp_path: Path) -> None:
    files = {"AndroidManifest.xml": MANIFEST, "jni/armeabi-v7a/liba.so": elf(wide=False, machine=40)}
    with pytest.raises(BadInput, match=r"liba\.so is not there for arm64-v8a"):
        check_archive(archive(tmp_path / "a.aar", files))


def test_the_library_at_fault_is_named_inside_an_archive(tmp_path: Path) -> None:
    files = {"AndroidManifest.xml": MANIFEST, "jni/arm64-v8a/liba.so": elf(alignment=4096)}
    with pytest.raises(BadInput, match=r"a\.aar: jni/arm64-v8a/liba\.so: LOAD segment 0 .* 4096 bytes"):
        check_archive(archive(tmp_path / "a.aar", files))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_permissions_are_found_in_text_and_binary_manifests(tmp_path: Path, encoding: str) -> None:
    manifest = b"\x03\x00" + "android.permission.INTERNET".encode(encoding) + b"\0\0"
    assert permissions_of(manifest) == {"android.permission.INTERNET"}
    assert permissions_of(b"!" + manifest) == {"android.permission.INTERNET"}
    made = archive(tmp_path / "a.aar", {"AndroidManifest.xml": manifest})
    with pytest.raises(BadInput, match=r"asks for the permission android\.permission\.INTERNET"):
        check_archive(made)


def test_code_that_reports_to_somebody_is_named(tmp_path: Path) -> None:
    jar = io.BytesIO()
    with zipfile.ZipFile(jar, "w") as out:
        out.writestr("ai/onnxruntime/telemetry/HttpClient.class", b"")
    made = archive(tmp_path / "a.aar", {"AndroidManifest.xml": MANIFEST, "classes.jar": jar.getvalue()})
    with pytest.raises(BadInput, match="reports to onnxruntime"):
        check_archive(made)
    made = apk(tmp_path, **{"classes.dex": b"..Lcom/mixpanel/a;"})
    with pytest.raises(BadInput, match="reports to Mixpanel"):
        check_archive(made)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "a//b", "./a", "a\\b", "c:/a", "a\nb"])
def test_names_that_leave_their_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="not a plain relative path"):
        entries(archive(tmp_path / "a.aar", {"AndroidManifest.xml": MANIFEST, name: b""}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["classes.dex", "Classes.dex"])
def test_a_name_that_comes_twice_is_refused(tmp_path: Path, other: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.apk", "w") as out:
        out.writestr("classes.dex", b"one")
        out.writestr(other, b"another")
    with pytest.raises(BadInput, match="twice"):
        entries(tmp_path / "a.apk")


def test_an_entry_that_says_something_else_than_the_directory_is_refused(tmp_path: Path) -> None:
    body = apk(tmp_path).read_bytes()
    at = body.index(b"assets/m/network.onnx")
    (tmp_path / "a.apk").write_bytes(body[:at] + b"assets/m/Network.onnx" + body[at + 21 :])
    with pytest.raises(BadInput, match="damaged"):
        entries(tmp_path / "a.apk")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 2000), st.binary(max_size=60))
def test_a_damaged_archive_is_one_typed_error(tmp_path: Path, at: int, noise: bytes) -> None:
    body = archive(tmp_path / "a.aar", {"AndroidManifest.xml": MANIFEST, "classes.dex": b"x" * 200}).read_bytes()
    for data in (noise, body[:at], body[:at] + noise + body[at + len(noise) :]):
        (tmp_path / "b.aar").write_bytes(data)
        try:
            check_archive(tmp_path / "b.aar")
        except BadInput as exc:
            assert "b.aar" in exc.message


def test_what_the_store_does_not_deliver_is_over_budget() -> None:
    check_size(200_000_000, "app.apk", "")
    with pytest.raises(OverBudget, match=r"app\.apk has 200\.1 MB; Google Play delivers at most 200 MB"):
        check_size(200_100_000, "app.apk", "")
