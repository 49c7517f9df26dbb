"""What searches found, one small input each: all are refused by one typed error now."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: F401  # a library is no part of the memory that an input may take
from fuzzing.search import bounded, bounded_memory
from fuzzing.seeds import documents, networks, samples, weights
from fuzzing.targets import TARGETS
from helpers.cases.tflite_models import Builder, schema

from edgekit.errors import EdgekitError, boundary


def product_without_an_output(folder: Path) -> bytes:
    build = Builder("float32")
    x = build.tensor((1, 4, 4, 2))
    build.add("CONV_2D", [x], [], schema.Conv2DOptionsT())
    return build.finish([x], [x])


def layer_as_large_as_its_input_says(folder: Path) -> bytes:
    """Its own weights are a few bytes."""
    build = Builder("float32")
    x, y = build.tensor((1, 4, 4, 1 << 24), "float32", None), build.tensor((1, 4, 4, 3), "float32", None)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = 1
    build.add("CONV_2D", [x, build.constant(np.ones((3, 5, 5, 2), np.float32))], [y], options)
    return build.finish([x], [y])


def mean_of_a_single_number(folder: Path) -> bytes:
    """It has no axis that the mean could be over."""
    build = Builder("float32")
    x, y = build.tensor((), "float32", None), build.tensor((), "float32", None)
    build.add("MEAN", [x, build.constant(np.array([1], np.int32))], [y], schema.ReducerOptionsT())
    return build.finish([x], [y])


def dtype_that_onnx_lacks(folder: Path) -> bytes:
    import onnx

    model = onnx.ModelProto.FromString(next(networks.onnx_files(folder)))
    model.graph.input[0].type.tensor_type.elem_type = 42
    content: bytes = model.SerializeToString()
    return content


def invalid_equation(folder: Path) -> bytes:
    """onnx's shape inference never ends with such a letter."""
    import onnx
    from google.protobuf import json_format

    model = onnx.ModelProto.FromString(next(networks.onnx_files(folder)))
    node = model.graph.node.add(op_type="Einsum", name="odd", input=[model.graph.input[0].name], output=["odd"])
    node.attribute.append(onnx.helper.make_attribute("equation", "i4j"))
    text: str = json_format.MessageToJson(model)
    return text.encode()


def damaged_deflate(folder: Path) -> bytes:
    content = bytearray(list(weights.arrays(folder))[1])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = archive.infolist()[0]
    start = entry.header_offset + 30 + len(entry.filename.encode()) + 20
    content[start : start + 8] = b"\xff" * 8
    return bytes(content)


def older_torch_with_a_long_text(folder: Path) -> bytes:
    """Four gigabytes, as its length says."""
    content = next(weights.older_torch_files(folder))
    at = content.index(b"X", content.index(b"little_endian") - 6)
    return content[: at + 1] + b"\xf0\xff\xff\xff" + content[at + 5 :]


def weight_with_a_wrong_checksum(folder: Path) -> bytes:
    content = bytearray(next(networks.pt2_files(folder)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith("weights/weight_0"))
    with io.BytesIO(content) as file:
        file.seek(entry.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
    content[entry.header_offset + 30 + name + extra] ^= 1
    return bytes(content)


def member_elsewhere(folder: Path) -> bytes:
    """Where a member lies is counted from the place of the table, which may lead before the file."""
    content = bytearray(next(documents.zips(folder)))
    content[-6:-2] = struct.pack("<I", len(content))
    return bytes(content)


def name_that_is_no_text(folder: Path) -> bytes:
    content = bytearray(next(documents.zips(folder)))
    at = content.index(b"PK\x01\x02")
    content[at + 9] |= 8  # names are UTF-8
    content[at + 46] = 0xF3
    return bytes(content)


def special_token_that_is_not_there(folder: Path) -> bytes:
    """The library ends in a panic, which is not even an Exception."""
    tokenizer = json.loads(list(documents.tokenizers(folder))[1])
    del tokenizer["post_processor"]["special_tokens"]["[CLS]"]
    return json.dumps(tokenizer).encode()


def huge_picture(folder: Path) -> bytes:
    """160 million pixels in a few bytes of WebP."""
    content = bytearray(next(content for content in samples.pictures(folder) if content[8:12] == b"WEBP"))
    at = content.index(b"\x9d\x01\x2a")
    content[at + 3 : at + 7] = struct.pack("<HH", 12_700, 12_700)
    return bytes(content)


def letters_that_there_are_not(folder: Path) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(["a"]))
    return buffer.getvalue()[:-4] + b"\xff\xff\xff\xff"


def plain(content: bytes) -> Callable[[Path], bytes]:
    return lambda folder: content


FINDINGS: list[tuple[str, Callable[[Path], bytes]]] = [
    ("tflite", product_without_an_output),
    ("tflite-translation", layer_as_large_as_its_input_says),
    ("tflite-translation", mean_of_a_single_number),
    ("onnx", dtype_that_onnx_lacks),
    ("onnx-translation", invalid_equation),
    ("numpy", damaged_deflate),
    ("numpy-member", plain(b"\x93NUMPY\x01\x00\x10\x00{'descr': (      ")),
    ("numpy-member", plain(b"no array")),
    ("torch-older", older_torch_with_a_long_text),
    ("pt2", weight_with_a_wrong_checksum),
    ("pt2-weights", plain(b'{"config": 0}')),
    ("frontier", plain(b'{"\xe3hosen": 0}')),
    ("wheel", member_elsewhere),
    ("wheel", name_that_is_no_text),
    ("sound-lists", plain(b'{"audio": "input", "text": "\xff"}\n')),
    ("structures", plain(b"ATOM      1  N   GLY\n")),
    ("structures", plain(b"ATOM      1  N   GLY A   1       1e300   0.000   0.000\n")),
    ("tokenizer", special_token_that_is_not_there),
    ("numpy-member", letters_that_there_are_not),
    ("adapter", plain(b'{"peft_type": "LORA", "r": 2, "lora_alpha": 1' + b"0" * 400 + b"}")),
    ("adapter", plain(b'{"peft_type": "LORA", "r": 2, "lora_alpha": NaN}')),
    ("pictures", huge_picture),
    ("pictures", plain(base64.b64decode("R0lGODdhCAAGAAAAAAAAMwAAZmaZZpkAACwAAACDAAAAAAA4AAAAMzMzMzcpLDUxNG9i"))),
]


@pytest.mark.parametrize(("name", "make"), FINDINGS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(FINDINGS)])
def test_a_finding_is_refused(name: str, make: Callable[[Path], bytes], tmp_path: Path) -> None:
    target: Any = TARGETS[name]
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / target.file
    file.write_bytes(target.packed(make(tmp_path)))
    with pytest.raises(EdgekitError), bounded_memory(), boundary():
        bounded(lambda data: target.read(file) or 0)(b"")


@pytest.mark.parametrize("value", [1e300, 5e-324])
def test_a_report_whose_ratios_are_too_large_for_a_float_is_read_and_drawn(value: float, tmp_path: Path) -> None:
    report = json.loads(next(documents.reports(tmp_path)))
    report["measurements"][0]["values"][0][0] = value
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report))
    TARGETS["report"].read(file)
