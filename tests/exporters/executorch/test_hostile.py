"""Programs of ExecuTorch that are damaged, or made to do harm: refused with one typed error, and the process lives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.absence import skip_without
from helpers.cases.executorch_cases import LONG, export, sounds

from edgekit.errors import BadInput
from edgekit.formats.executorch import arguments, reader
from edgekit.runtimes.executorch import RUNTIME

pytestmark = pytest.mark.thorough

skip_without("executorch", "executorch is")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    return folder / "out" / export(folder, "int8", LONG, sounds(*range(40, 60)), ranges="min-max").file


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "flipped", "no description", "text", "other shape"])
def test_a_damaged_file(made: Path, tmp_path: Path, damage: str) -> None:
    for suffix in (".pte", ".json"):
        source = made.with_suffix(suffix)
        (tmp_path / source.name).write_bytes(source.read_bytes())
    file, told = tmp_path / "sound.pte", tmp_path / "sound.json"
    content = bytearray(file.read_bytes())
    if damage == "absent":
        file.unlink()
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(content[:-100])
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "no description":
        told.unlink()
    elif damage == "text":
        told.write_text("{")
    else:
        facts = json.loads(told.read_bytes())
        facts["inputs"][0]["shape"][1] = 8
        told.write_text(json.dumps(facts))
    with pytest.raises(BadInput, match="sound"):
        RUNTIME.load(file, 1)


HOSTILE = """
import random, sys
from pathlib import Path
import numpy as np
from edgekit.core import TensorSpec
from edgekit.errors import BadInput
from edgekit.runtimes.executorch.runner import ExecutorchRunner, _read_description

file = Path(sys.argv[1])
content, (inputs, outputs, most, _) = file.read_bytes(), _read_description(file.with_suffix(".json"))
chance, told, feeds = random.Random(5), {"refused": 0, "ran": 0}, {"sound": np.ones((1, 4, 20), np.float32)}

def swept():
    for place in range(0, len(content) - 3, 4):
        word = int.from_bytes(content[place : place + 4], "little")
        for value in chance.sample([0, 2**32 - 1, 2**31 - 1, word + 1, word - 1, word ^ 2**24, word ^ 2**8], 1):
            yield content[:place] + (value % 2**32).to_bytes(4, "little") + content[place + 4 :]

def torn():
    for _ in range(20):
        yield content[: chance.randrange(len(content))]

for wrong in [*swept(), *torn()]:
    try:
        ExecutorchRunner(wrong, 1, (inputs, outputs), most)(feeds)
        told["ran"] += 1
    except BadInput:
        told["refused"] += 1
print(told["refused"] > 500, told["ran"] > 100)
"""


def test_a_hostile_file_does_not_end_the_process(made: Path) -> None:
    """Any word of it damaged, and a description that tells its hash. The runtime by itself ends the process."""
    command = [sys.executable, "-c", HOSTILE, str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr[-2000:]


def test_weights_that_are_fewer_than_told(made: Path) -> None:
    """A kernel of a million rows: XNNPACK would pack what lies behind the weights."""
    content = made.read_bytes()
    three = (3).to_bytes(4, "little")  # its taps, in whatever place
    places = [at for at in range(0, len(content), 4) if content[at : at + 4] == three]
    wrong = [content[: at + 2] + b"\x10" + content[at + 3 :] for at in places]
    assert any("other weights than it tells of" in refusal(one) for one in wrong)


def test_an_input_and_an_output_of_one_number(made: Path) -> None:
    """The runtime would write the answer to where the input lies."""
    content = made.read_bytes()
    one = (1).to_bytes(4, "little")  # the output's number, in whatever place
    places = [at for at in range(0, len(content), 4) if content[at : at + 4] == one]
    wrong = [content[:at] + bytes(4) + content[at + 4 :] for at in places]
    assert any("numbered one by one" in refusal(one) for one in wrong)


def refusal(content: bytes) -> str:
    try:
        reader.read(content)
    except BadInput as exc:
        return exc.message
    return ""


#: Three outputs, told once more as one list.
NORM = ("Tensor", "IntList", "Tensor", "Tensor", "Double", "Tensor", "Tensor", "Tensor", "TensorList")
MEAN = ("Tensor", "IntList", "Bool", "Null", "Tensor", "Tensor")


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("aten::mean.out", MEAN, ""),
        ("aten::mean.out", ("Tensor", "IntList", "Int", "Null", "Tensor", "Tensor"), "is given"),
        ("aten::mean.out", MEAN[:-1], "is given"),
        ("aten::cat.out", ("TensorList", "Int", "Tensor", "Tensor"), ""),
        ("aten::cat.out", ("Tensor", "Int", "Tensor", "Tensor"), "is given"),
        ("aten::sym_size.int", ("Tensor", "Int", "Int"), ""),
        ("aten::native_layer_norm.out", NORM, ""),
        ("aten::native_layer_norm.out", (*NORM[:-1], "Tensor"), "is given"),
        ("executorch_prim::add.Scalar", ("Int", "Int", "Int"), ""),
        ("executorch_prim::add.Scalar", ("Int", "Bool", "Int"), "is given"),
        ("dim_order_ops::_to_dim_order_copy.out", ("Tensor", "Bool", "IntList", "Tensor", "Tensor"), ""),
        ("aten::mean.nowhere", MEAN, "nothing here knows"),
        ("mine::format_disk.out", (), "nothing here knows"),
    ],
)
def test_what_operators_are_given(name: str, given: tuple[str, ...], told: str) -> None:
    """The runtime ends the process over a number in the place of a tensor."""
    if not told:
        arguments.check([(name, given)])
        return
    with pytest.raises(BadInput, match=told):
        arguments.check([(name, given)])
