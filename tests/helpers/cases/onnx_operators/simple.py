"""Elementwise operators, activations, reductions, shapes, places."""

from __future__ import annotations

from itertools import product

import numpy as np
from helpers.cases.onnx_operators.case import ALL, NEW, Case, Constant, c, f, i, k
from onnx import numpy_helper

X, Y = f(2, 3, 4), f(2, 3, 4, seed=1)
POSITIVE = f(2, 3, 4, low=0.1)
WHOLE, OTHER = i(-7, -3, 0, 4, 9), i(2, -2, 3, 3, -4)
TRUE = np.array([[True, False, True], [False, False, True]])
PICTURE = f(1, 4, 6, 6)
BOXES = f(2, 40, 4, low=0.1, high=0.9)

_UNIT = [Case(kind, [f(2, 3, low=-0.9, high=0.9)]) for kind in ("Acos", "Asin", "Atan", "Atanh", "Cosh", "Sinh", "Tan")]
_ANY = [
    Case(kind, [X])
    for kind in ("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Identity", "Neg", "Sign", "Sin", "Asinh", "Round")
]
_ABOVE = [Case(kind, [POSITIVE]) for kind in ("Log", "Reciprocal", "Sqrt")]
_PAIRS = [Case(kind, [X, Y]) for kind in ("Add", "Sub", "Mul", "Div")]
_SCALARS = [Case(kind, [X, k(1.5)]) for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min")]
_BROADCAST = [Case(kind, [X, f(3, 1, seed=2)]) for kind in ("Add", "Mul", "Max", "Min", "Sum", "Mean")]
_COMPARED = [
    Case(kind, [WHOLE, OTHER], versions=NEW) for kind in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
]
_BITS = [
    Case(kind, [i(1, 6, 12), i(3, 3, 10)], versions=(18, 20)) for kind in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")
]
_REDUCED = [
    case
    for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
    for case in (
        Case(f"Reduce{kind}", [POSITIVE], {"axes": [1, -1], "keepdims": 0}, (11,) if kind == "Sum" else (11, 13, 17)),
        Case(f"Reduce{kind}", [POSITIVE], {"keepdims": 1}, ALL),
        Case(f"Reduce{kind}", [POSITIVE, c(0, 2)], {}, NEW if kind == "Sum" else (18, 20)),
    )
]
_ACTIVATIONS = [
    *(Case(kind, [f(3, 4, low=-6, high=6)]) for kind in ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Selu")),
    *(Case(kind, [X]) for kind in ("LeakyRelu", "Elu", "HardSigmoid", "ThresholdedRelu", "Shrink")),
    Case("Celu", [X], {"alpha": 0.7}, (12, 17, 20)),
    Case("HardSigmoid", [f(3, 9, low=-6, high=6)], {"alpha": 1 / 6, "beta": 0.5}),
    Case("HardSwish", [f(3, 9, low=-6, high=6)], {}, (14, 20)),
    Case("Mish", [X], {}, (18, 20)),
    *(Case("Swish", [X], {"alpha": alpha}, (24,)) for alpha in (1.0, 0.5)),
    Case("Gelu", [X], {}, (20,)),
    Case("Gelu", [X], {"approximate": "tanh"}, (20,)),
    Case("com.microsoft.Gelu", [X], {}, (17,)),
    Case("com.microsoft.FastGelu", [X], {}, (17,)),
    Case("com.microsoft.FastGelu", [X, k(f(4))], {}, (17,)),
    Case("com.microsoft.BiasGelu", [X, k(f(4))], {}, (17,)),
    Case("com.microsoft.QuickGelu", [X], {}, (17,)),
    Case("PRelu", [PICTURE, k(f(4, 1, 1))]),
    Case("PRelu", [X, k(f(4))]),
    Case("PRelu", [X, k(f(1))]),
    *(Case(kind, [X], {"axis": axis}) for kind in ("Softmax", "LogSoftmax", "Hardmax") for axis in (0, 1, 2)),
    *(Case(kind, [X]) for kind in ("Softmax", "LogSoftmax", "Hardmax")),
]
_SHAPES = [
    Case("Reshape", [X, c(0, -1)]),
    Case("Reshape", [X, c(4, 6)]),
    *(Case("Flatten", [X], {"axis": axis}) for axis in (0, 1, 2, -1)),
    Case("Squeeze", [f(1, 3, 1)], {"axes": [0]}, (11,)),
    Case("Squeeze", [f(1, 3, 1), c(-1)], {}, NEW),
    Case("Squeeze", [f(1, 3, 1)]),
    Case("Unsqueeze", [X], {"axes": [0, -1]}, (11,)),
    Case("Unsqueeze", [X, c(-1, 1)], {}, NEW),
    Case("Transpose", [X], {"perm": [2, 0, 1]}),
    Case("Transpose", [X]),
    Case("Concat", [X, Y], {"axis": -1}),
    Case("Split", [X], {"axis": 1, "split": [1, 2]}, (11,), 2),
    Case("Split", [X, c(1, 2)], {"axis": 1}, NEW, 2),
    Case("Split", [X], {"axis": 2}, (11, 13, 17), 2),
    Case("Split", [f(7)], {"num_outputs": 3}, (18, 20), 3),
    Case("Expand", [f(3, 1), c(2, 1, 6)]),
    Case("Tile", [X, c(1, 2, 3)]),
    Case("ConstantOfShape", [c(2, 3)], {"value": numpy_helper.from_array(np.array([1.5], np.float32))}),
    Case("ConstantOfShape", [c(40, 50)], {"value": numpy_helper.from_array(np.array([7], np.int64))}),
    Case("Range", [Constant(np.array(value)) for value in (1, 9, 3)]),
    Case("EyeLike", [f(3, 5)], {"k": 1, "dtype": 1}),
    Case("DepthToSpace", [PICTURE], {"blocksize": 2}),
    Case("DepthToSpace", [PICTURE], {"blocksize": 2, "mode": "CRD"}),
    Case("SpaceToDepth", [PICTURE], {"blocksize": 2}),
    Case("Shape", [X]),
    Case("Shape", [X], {"start": 1, "end": -1}, (15, 20)),
    Case("Size", [X]),
]
_PLACES = [
    Case("Slice", [X, c(1, -3), c(3, 2**62), c(1, 2)]),
    Case("Slice", [X, c(-1), c(-(2**62)), c(2), c(-1)]),
    Case("Slice", [X, c(3), c(0), c(2), c(-2)]),
    Case("Slice", [X, c(0), c(4), c(2), c(2)]),
    Case("Gather", [X, c(1, -1)], {"axis": 2}),
    Case("Gather", [X, c(1, 2)], {"axis": 1}),
    Case("Gather", [X, Constant(np.array(-2, np.int64))], {"axis": 1}),
    Case("Gather", [X, i(0, -1)], {"axis": 1}),
    Case("Gather", [k(f(9, 4)), np.array([[3, 8], [0, -1]], np.int32)]),
    Case("GatherElements", [X, np.array([[[0, 1, -1, 0]]] * 2, np.int64)], {"axis": 1}),
    Case("GatherND", [X, np.array([[0, 1], [1, -1]], np.int64)]),
    Case("GatherND", [X, np.array([[1], [-1]], np.int64)], {"batch_dims": 1}, (12, 17)),
    Case("ScatterElements", [X, np.array([[[0, 1, -1, 0]]] * 2, np.int64), f(2, 1, 4)], {"axis": 1}),
    Case("ScatterElements", [X, np.zeros((2, 1, 4), np.int64), f(2, 1, 4)], {"axis": 1, "reduction": "add"}, (16, 18)),
    Case("ScatterElements", [X, np.zeros((2, 1, 4), np.int64), f(2, 1, 4)], {"axis": 1, "reduction": "max"}, (18, 20)),
    Case("Scatter", [X, np.zeros((2, 1, 4), np.int64), f(2, 1, 4)], {"axis": 1}, (9, 10)),
    Case("ScatterND", [X, np.array([[0, 1], [1, -1]], np.int64), f(2, 4)]),
    Case("ScatterND", [X, np.array([[0, 1], [0, 1]], np.int64), f(2, 4)], {"reduction": "add"}, (16, 18)),
    Case("ScatterND", [X, np.array([[0, 1], [0, 1]], np.int64), f(2, 4)], {"reduction": "min"}, (18, 20)),
    Case("OneHot", [i(0, 2, -1), c(4), k([0.5, 2.0])]),
    Case("OneHot", [i(0, 2), c(4), k([0.0, 1.0])], {"axis": 0}),
    Case("Compress", [X, Constant(np.array([True, False, True]))], {"axis": 1}),
    Case("Compress", [X, Constant(np.array([False, True, True]))]),
    Case("NonZero", [Constant(np.array([[1, 0], [2, 3]], np.int64))]),
    *(Case("Trilu", [f(4, 5), c(1)], {"upper": upper}, (14, 20)) for upper in (0, 1)),
    Case("Trilu", [f(4, 5)], {}, (14, 20)),
    Case("ReverseSequence", [f(4, 2), c(3, 2)], {"time_axis": 0, "batch_axis": 1}),
    *(Case(kind, [X], {"axis": 1, "keepdims": keep}) for kind in ("ArgMax", "ArgMin") for keep in (0, 1)),
    Case("ArgMax", [i(1, 3, 3, 0).astype(np.float32)], {"axis": 0, "select_last_index": 1}, (12, 17)),
    Case("TopK", [X, c(2)], {"axis": -1}, ALL, 2),
    Case("TopK", [X, c(3)], {"axis": 1, "largest": 0}, ALL, 2),
    Case("TopK", [np.array([[1, 2, 2, 0, 2]], np.float32), c(2)], {"axis": 1}, ALL, 2),
    *(Case("CumSum", [X, c(1)], {"exclusive": e, "reverse": r}) for e in (0, 1) for r in (0, 1)),
    *(Case("CumProd", [X, c(1)], {"exclusive": e, "reverse": r}, (26,)) for e in (0, 1) for r in (0, 1)),
    *(
        Case("NonMaxSuppression", [BOXES, f(2, 3, 40, low=0), c(most), *limits], {"center_point_box": centred})
        for most, centred, limits in product((3, 9), (0, 1), ((), (k([0.3]),), (k([0.5]), k([0.7]))))
    ),
    Case("NonMaxSuppression", [BOXES, f(2, 3, 40, low=0)]),
]
CASES = [
    *(_UNIT + _ANY + _ABOVE + _PAIRS + _SCALARS + _BROADCAST + _COMPARED + _BITS + _REDUCED),
    *(_ACTIVATIONS + _SHAPES + _PLACES),
    Case("Acosh", [f(3, low=1.5, high=4)]),
    Case("IsNaN", [np.array([1, np.nan, 2], np.float32)]),
    Case("IsInf", [np.array([1, np.inf, -np.inf], np.float32)]),
    Case("IsInf", [np.array([1, np.inf, -np.inf], np.float32)], {"detect_negative": 0}),
    Case("Not", [TRUE]),
    *(Case(kind, [TRUE, ~TRUE[:1]]) for kind in ("And", "Or", "Xor")),
    Case("Equal", [f(3), k(0.5)], versions=ALL),
    Case("Div", [WHOLE, OTHER]),
    Case("Mod", [WHOLE, OTHER]),
    Case("Mod", [X, Y], {"fmod": 1}),
    Case("Pow", [X, k(2.0)], versions=(12, 13, 17, 20)),
    Case("Pow", [POSITIVE, Y], versions=(12, 13, 17, 20)),
    Case("Clip", [X, k(-1.0), k(1.0)]),
    Case("Clip", [X, k(0.0), k(6.0)]),
    Case("Clip", [X, None, k(0.5)]),
    Case("Clip", [X, k(0.0)]),
    Case("Clip", [X], {"min": -0.5, "max": 0.5}, (9, 10)),
    Case("Cast", [X], {"to": 7}),
    Case("Cast", [WHOLE], {"to": 1}),
    Case("BitCast", [X], {"to": 6}, (26,)),
    Case("CastLike", [X, i(1)], {}, (15, 19)),
    Case("BitShift", [i(1, 6, 12, dtype=np.uint8), i(1, 2, 3, dtype=np.uint8)], {"direction": "LEFT"}),
    Case("BitShift", [i(1, 6, 12, dtype=np.uint8), i(1, 2, 3, dtype=np.uint8)], {"direction": "RIGHT"}),
    Case("BitwiseNot", [i(1, 6, 12)], {}, (18, 20)),
    Case("Where", [TRUE, f(2, 3), f(3)]),
    Case("Dropout", [X]),
    *(Case(kind, [PICTURE]) for kind in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")),
]
