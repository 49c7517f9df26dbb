"""A hostile .pt2 is one error, before torch sees it: no pickle is opened, no expression or name is evaluated."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_program
from helpers.toys.toy_program import PROGRAM, WEIGHTS, changed, with_member

from edgekit.errors import BadInput
from edgekit.formats import pt2
from edgekit.formats.pt2.rewrite import rewritten


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "toy.pt2"
    toy_program.save(path)
    return path


class Payload:
    """A pickle that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def first(program: Any) -> Any:
    return program["graph_module"]["graph"]["nodes"][0]


def size(program: Any) -> Any:
    return program["graph_module"]["graph"]["tensor_values"]["tokens"]["sizes"][1]["as_expr"]


def rename(program: Any) -> None:
    program["graph_module"]["graph"]["inputs"][-1]["as_tensor"]["name"] = "x):\n import os\n def f("


CHANGES: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "an operator of the system": (PROGRAM, lambda p: first(p).update(target="torch.os.system"), "operator"),
    "an operator that reads files": (
        PROGRAM,
        lambda p: first(p).update(target="torch.ops.aten.from_file.default"),
        "operator",
    ),
    "an inner operator": (PROGRAM, lambda p: first(p).update(target="torch.ops.aten._foo.default"), "inner operator"),
    "an operator of an extension": (PROGRAM, lambda p: first(p).update(target="#x:y"), "operator"),
    "a size that is code": (PROGRAM, lambda p: size(p).update(expr_str="__import__('os').mkdir('x')"), "arithmetic"),
    "a size without a bound": (PROGRAM, lambda p: size(p).update(expr_str="9**9**9"), "any size"),
    "a name that is code": (PROGRAM, rename, "for a name"),
    "a keyword for a name": (PROGRAM, lambda p: first(p).update(name="lambda"), "for a name"),
    "a field that is not known": (PROGRAM, lambda p: first(p).update(code="x"), "not known"),
    "an object of its own class": (
        PROGRAM,
        lambda p: p["graph_module"]["graph"].update(custom_obj_values={"a": {"name": "a", "class_fqn": "b"}}),
        "own class",
    ),
    "a weight that is not there": (WEIGHTS, lambda c: c["config"].pop("conv.weight"), "no weight 'conv.weight'"),
    "a pickled weight": (WEIGHTS, lambda c: c["config"]["conv.weight"].update(use_pickle=True), "pickle"),
    "a weight from elsewhere": (
        WEIGHTS,
        lambda c: c["config"]["conv.weight"].update(path_name="../../models/model.json"),
        "not there",
    ),
    "a weight larger than its bytes": (
        WEIGHTS,
        lambda c: c["config"]["conv.bias"]["tensor_meta"].update(sizes=[{"as_int": 1 << 40}]),
        "more numbers",
    ),
    "a weight of stride 0": (
        WEIGHTS,
        lambda c: c["config"]["conv.bias"]["tensor_meta"].update(sizes=[{"as_int": 1 << 40}], strides=[{"as_int": 0}]),
        "more numbers",
    ),
    "no object": (PROGRAM, lambda p: [1], "without fields"),
    "no graph": (PROGRAM, lambda p: p.pop("graph_module"), "without graph_module"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_could_run_code_is_refused(what: str, saved: Path, tmp_path: Path) -> None:
    member, change, words = CHANGES[what]

    def apply(content: Any) -> Any:
        result = change(content)
        return result if isinstance(result, list) else content

    with pytest.raises(BadInput, match=words):
        pt2.read(changed(saved, tmp_path / "bad.pt2", member, apply))


def test_the_sample_inputs_are_a_pickle_that_nobody_opens(saved: Path, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as file:
        for entry in source.infolist():
            hostile = entry.filename.endswith("sample_inputs/model.pt")
            file.writestr(entry.filename, pickle.dumps(Payload(mark)) if hostile else source.read(entry))
    program = pt2.read(tmp_path / "bad.pt2")
    pt2.module_of(program)
    assert not mark.exists()
    with zipfile.ZipFile(__import__("io").BytesIO(rewritten(program))) as file:
        assert file.read("model/data/sample_inputs/model.pt") == b""


def test_stack_traces_guards_and_trees_of_the_file_never_reach_torch(saved: Path, tmp_path: Path) -> None:
    def change(program: Any) -> None:
        program["guards_code"] = ["__import__('os').abort()"]
        tree = (
            '[1, {"type": "collections.defaultdict", "context": "{\\"default_factory_module\\": \\"antigravity\\"}"}]'
        )
        program["graph_module"]["module_call_graph"][0]["signature"].update(in_spec=tree, out_spec=tree)
        first(program)["metadata"] = {"source_fn_stack": "a,torch.os.abort", "custom": "{}"}

    program = pt2.read(changed(saved, tmp_path / "odd.pt2", PROGRAM, change))
    assert [spec.name for spec in program.outputs] == ["output_0", "output_1"]
    text = rewritten(program)
    assert b"abort" not in text
    assert b"antigravity" not in text


@pytest.mark.parametrize("kept", [0, 10, 1000, -100, -1])
def test_a_truncated_file_is_refused(kept: int, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.pt2").write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(BadInput, match=r"cut\.pt2"):
        pt2.read(tmp_path / "cut.pt2")


def test_members_that_unpack_to_more_than_the_file_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("m/archive_format", b"pt2")
        file.writestr("m/models/model.json", b" " * (1 << 24))
    with pytest.raises(BadInput, match="larger together"):
        pt2.read(tmp_path / "bomb.pt2")


@pytest.mark.parametrize(
    ("name", "words"),
    [("data/weights/model.pt", "older form"), ("data/aotinductor/model/x.so", "machine code")],
)
def test_older_forms_and_machine_code_are_refused(name: str, words: str, saved: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=words):
        pt2.read(with_member(saved, tmp_path / "old.pt2", name, b"x"))


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.pt2", "w") as file:
        file.writestr("a.txt", b"x")
    with pytest.raises(BadInput, match=r"not a \.pt2"):
        pt2.read(tmp_path / "other.pt2")


def test_a_deep_json_is_refused(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(tmp_path / "deep.pt2", "w") as file:
        for entry in source.infolist():
            file.writestr(entry.filename, b"[" * 100_000 if entry.filename.endswith(PROGRAM) else source.read(entry))
    with pytest.raises(BadInput, match=r"deep\.pt2"):
        pt2.read(tmp_path / "deep.pt2")
