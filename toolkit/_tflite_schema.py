"""What the numbers of a .tflite mean: dtypes, operators and their options, as far as they are used here.

From the schema of TensorFlow Lite, version 3 (tensorflow/compiler/mlir/lite/schema/schema.fbs): fields of a FlatBuffers
table are numbered in the order in which the schema declares them.
"""

from __future__ import annotations

from typing import NamedTuple

DTYPES = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool", 7: "int16",
    9: "int8", 13: "resource", 17: "int4",
}  # fmt: skip

OPERATORS = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 6: "DEQUANTIZE",
    9: "FULLY_CONNECTED", 14: "LOGISTIC", 17: "MAX_POOL_2D", 18: "MUL", 19: "RELU", 21: "RELU6", 22: "RESHAPE",
    25: "SOFTMAX", 28: "TANH", 34: "PAD", 36: "GATHER", 39: "TRANSPOSE", 40: "MEAN", 41: "SUB", 43: "SQUEEZE",
    44: "UNIDIRECTIONAL_SEQUENCE_LSTM", 45: "STRIDED_SLICE", 49: "SPLIT", 53: "CAST", 60: "PADV2", 65: "SLICE",
    70: "EXPAND_DIMS", 88: "UNPACK", 83: "PACK", 97: "RESIZE_NEAREST_NEIGHBOR", 98: "LEAKY_RELU", 102: "SPLIT_V",
    114: "QUANTIZE", 117: "HARD_SWISH", 67: "TRANSPOSE_CONV", 129: "CALL_ONCE", 142: "VAR_HANDLE",
    143: "READ_VARIABLE", 144: "ASSIGN_VARIABLE",
}  # fmt: skip


class Field(NamedTuple):
    """An option: its name, the field's number, its form (a struct format, "ints" or "text"), its default."""

    name: str
    number: int
    form: str = "<b"
    default: int | float = 0


_ACTIVATION = "activation"
_POOL = (
    Field("padding", 0), Field("stride_width", 1, "<i"), Field("stride_height", 2, "<i"),
    Field("filter_width", 3, "<i"), Field("filter_height", 4, "<i"), Field(_ACTIVATION, 5),
)  # fmt: skip

OPTIONS: dict[str, tuple[Field, ...]] = {
    "ADD": (Field(_ACTIVATION, 0),),
    "AVERAGE_POOL_2D": _POOL,
    "CALL_ONCE": (Field("subgraph", 0, "<i"),),
    "CONCATENATION": (Field("axis", 0, "<i"), Field(_ACTIVATION, 1)),
    "CONV_2D": (
        Field("padding", 0), Field("stride_width", 1, "<i"), Field("stride_height", 2, "<i"), Field(_ACTIVATION, 3),
        Field("dilation_width", 4, "<i", 1), Field("dilation_height", 5, "<i", 1),
    ),
    "DEPTHWISE_CONV_2D": (
        Field("padding", 0), Field("stride_width", 1, "<i"), Field("stride_height", 2, "<i"),
        Field("depth_multiplier", 3, "<i"), Field(_ACTIVATION, 4),
        Field("dilation_width", 5, "<i", 1), Field("dilation_height", 6, "<i", 1),
    ),
    "FULLY_CONNECTED": (Field(_ACTIVATION, 0), Field("weights_format", 1), Field("keep_dims", 2)),
    "MAX_POOL_2D": _POOL,
    "MEAN": (Field("keep_dims", 0),),
    "MUL": (Field(_ACTIVATION, 0),),
    "RESHAPE": (Field("shape", 0, "ints"),),
    "SOFTMAX": (Field("beta", 0, "<f"),),
    "SPLIT": (Field("splits", 0, "<i"),),
    "SPLIT_V": (Field("splits", 0, "<i"),),
    "SQUEEZE": (Field("dimensions", 0, "ints"),),
    "STRIDED_SLICE": (
        Field("begin_mask", 0, "<i"), Field("end_mask", 1, "<i"), Field("ellipsis_mask", 2, "<i"),
        Field("new_axis_mask", 3, "<i"), Field("shrink_axis_mask", 4, "<i"), Field("offset", 5),
    ),
    "SUB": (Field(_ACTIVATION, 0),),
    "VAR_HANDLE": (Field("container", 0, "text"), Field("name", 1, "text")),
}  # fmt: skip
