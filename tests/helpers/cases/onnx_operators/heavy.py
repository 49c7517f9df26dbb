"""Convolutions, pooling, normalization, products, padding, resizing, recurrence, quantization."""

from __future__ import annotations

from itertools import product

import numpy as np
from helpers.cases.onnx_operators.case import NEW, Case, Constant, c, f, k

ROW, PICTURE, CUBE = f(2, 4, 11), f(2, 4, 9, 8), f(1, 2, 5, 6, 4)
_CONV = [
    Case("Conv", [PICTURE, k(f(6, 4, 3, 3)), k(f(6))], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    Case("Conv", [PICTURE, k(f(6, 4, 3, 3))], {"pads": [0, 1, 2, 1]}),
    Case("Conv", [PICTURE, k(f(4, 1, 3, 3))], {"group": 4, "dilations": [2, 1]}),
    *(
        Case("Conv", [PICTURE, k(f(6, 4, 3, 2))], {"auto_pad": pad, "strides": [2, 3]})
        for pad in ("SAME_UPPER", "SAME_LOWER", "VALID")
    ),
    Case("Conv", [ROW, k(f(3, 4, 3)), k(f(3))], {"pads": [2, 1]}),
    Case("Conv", [CUBE, k(f(3, 2, 2, 3, 2))]),
    Case("Conv", [PICTURE, f(6, 4, 3, 3)]),
    Case("ConvTranspose", [PICTURE, k(f(4, 3, 3, 3)), k(f(3))], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case("ConvTranspose", [PICTURE, k(f(4, 3, 3, 3))], {"strides": [2, 2], "output_padding": [1, 1]}),
    Case("ConvTranspose", [PICTURE, k(f(4, 3, 3, 3)), k(f(3))], {"strides": [3, 2], "pads": [1, 0, 0, 1]}),
    Case("ConvTranspose", [PICTURE, k(f(4, 2, 3, 3))], {"group": 2, "dilations": [2, 2]}),
    *(
        Case("ConvTranspose", [PICTURE, k(f(4, 3, 3, 3))], {"auto_pad": pad, "strides": [2, 2]})
        for pad in ("SAME_UPPER", "SAME_LOWER")
    ),
    Case("ConvTranspose", [PICTURE, k(f(4, 3, 3, 3))], {"strides": [3, 3], "output_shape": [28, 25]}),
    Case("ConvTranspose", [ROW, k(f(4, 3, 4))], {"strides": [2]}),
    Case("com.microsoft.FusedConv", [PICTURE, k(f(6, 4, 3, 3)), k(f(6))], {"activation": "Relu"}, (17,)),
]
_POOL = [
    *(
        Case(kind, [PICTURE], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": pads, "ceil_mode": up})
        for kind, pads, up in product(("MaxPool", "AveragePool"), ([0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]), (0, 1))
    ),
    *(
        Case(
            "AveragePool", [PICTURE], {"kernel_shape": [3, 3], "pads": pads, "count_include_pad": 1, "strides": [2, 2]}
        )
        for pads in ([1, 1, 1, 1], [0, 1, 2, 1])
    ),
    *(
        Case(kind, [PICTURE], {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": pad})
        for kind, pad in product(("MaxPool", "AveragePool"), ("SAME_UPPER", "SAME_LOWER", "VALID"))
    ),
    Case("MaxPool", [PICTURE], {"kernel_shape": [2, 2], "dilations": [2, 1]}),
    Case("AveragePool", [PICTURE], {"kernel_shape": [2, 2], "dilations": [2, 2]}, (19, 20)),
    *(Case(kind, [ROW], {"kernel_shape": [3]}) for kind in ("MaxPool", "AveragePool", "LpPool")),
    *(Case(kind, [CUBE], {"kernel_shape": [2, 2, 2]}) for kind in ("MaxPool", "AveragePool")),
    Case("LpPool", [PICTURE], {"kernel_shape": [3, 2], "p": 3}),
]
_STATISTICS = [k(f(4)), k(f(4, seed=1)), k(f(4, seed=2)), k(f(4, low=0.5))]
_NORMAL = [
    Case("BatchNormalization", [PICTURE, *_STATISTICS]),
    Case("BatchNormalization", [f(3, 4), *_STATISTICS], {"epsilon": 1e-3}),
    Case("InstanceNormalization", [PICTURE, k(f(4)), k(f(4, seed=1))]),
    Case("LayerNormalization", [PICTURE, k(f(8)), k(f(8, seed=1))], {}, (17, 20)),
    Case("LayerNormalization", [PICTURE, k(f(9, 8))], {"axis": 2}, (17, 20)),
    Case("LayerNormalization", [PICTURE, k(f(8)), k(f(8, seed=1))], {}, (17, 20), 3),
    Case("SimplifiedLayerNormalization", [PICTURE, k(f(8))], {}, (17,)),
    Case("com.microsoft.SkipLayerNormalization", [f(1, 5, 8), f(1, 5, 8, seed=1), k(f(8)), k(f(8))], {}, (17,)),
    Case("GroupNormalization", [PICTURE, k(f(2)), k(f(2, seed=1))], {"num_groups": 2}, (18, 20)),
    Case("GroupNormalization", [PICTURE, k(f(4)), k(f(4, seed=1))], {"num_groups": 2}, (21,)),
    Case("RMSNormalization", [PICTURE, k(f(8))], {}, (23,)),
    *(Case("LpNormalization", [PICTURE], {"p": p, "axis": 1}) for p in (1, 2)),
    *(Case("LRN", [PICTURE], {"size": size, "alpha": 0.3, "bias": 1.5}) for size in (3, 4)),
    Case("MeanVarianceNormalization", [PICTURE]),
]
_PRODUCTS = [
    Case("MatMul", [f(2, 3, 4), k(f(4, 5))]),
    Case("MatMul", [f(2, 3, 4), f(2, 4, 5)]),
    Case("MatMul", [f(4), f(4, 5)]),
    Case("Gemm", [f(3, 4), k(f(4, 5)), k(f(5))], {"alpha": 0.5, "beta": 2.0}),
    Case("Gemm", [f(3, 4), k(f(5, 4)), k(f(1, 5))], {"transB": 1}),
    Case("Gemm", [f(4, 3), f(4, 5), f(3, 1)], {"transA": 1}),
    Case("Gemm", [f(3, 4), k(f(4, 5)), k(f(3, 5))]),
    Case("Einsum", [f(2, 3, 4), f(2, 4, 5)], {"equation": "bij, bjk -> bik"}, (12, 17)),
    Case("Det", [f(2, 3, 3)]),
    Case("com.microsoft.FusedMatMul", [f(2, 4, 3), f(2, 5, 4)], {"transA": 1, "transB": 1, "alpha": 0.3}, (17,)),
]
_PADS = [
    Case("Pad", [PICTURE, c(0, 0, 1, 2, 0, 1, 3, 0), k(1.5)]),
    Case("Pad", [PICTURE, c(0, 0, -1, 2, 0, 0, 0, -2)]),
    *(Case("Pad", [PICTURE, c(0, 0, 1, 2, 0, 0, 3, 1)], {"mode": mode}) for mode in ("reflect", "edge")),
    *(Case("Pad", [f(3, 5), c(1, 2, 1, 0)], {"mode": mode}) for mode in ("reflect", "edge")),
    Case("Pad", [f(1, 5, 1), c(0, 2, 0, 0, 1, 0)], {"mode": "reflect"}),
    Case("Pad", [PICTURE, c(0, 1, 1, 2, 0, 1, 3, 1)], {"mode": "reflect"}),
    Case("Pad", [PICTURE, c(1, 2, 0, 1), None, c(2, 3)], {}, (18, 20)),
    Case("Pad", [f(3, 5), c(1, 2, 1, 0)], {"mode": "wrap"}, (19, 20)),
    Case("Pad", [f(3, 5)], {"pads": [1, 0, 0, 2], "value": 0.5}, (9, 10)),
    Case("CenterCropPad", [PICTURE, c(5, 10)], {"axes": [2, 3]}, (18, 20)),
]
_MODES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
_ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
_SIZES = (None, None, c(2, 4, 14, 5))
_SCALES = (None, k([1, 1, 2, 1.6]))
_RESIZES = [
    *(
        Case("Resize", [PICTURE, *target], {"coordinate_transformation_mode": mode, "nearest_mode": rounding})
        for mode, rounding, target in product(_MODES, _ROUNDINGS, (_SIZES, _SCALES))
        if (mode, target) != ("align_corners", _SCALES)
    ),
    *(
        Case("Resize", [PICTURE, *target], {"mode": kind, "coordinate_transformation_mode": mode})
        for kind, mode, target in product(("linear", "cubic"), _MODES, (_SIZES, _SCALES))
        if (mode, target) != ("align_corners", _SCALES)  # ONNX and onnxruntime differ, see test_translation
    ),
    *(
        Case("Resize", [PICTURE, *_SIZES], {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": outside})
        for outside in (0, 1)
    ),
    Case(
        "Resize", [PICTURE, None, k([1, 1, 2, 2])], {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    ),
    Case("Resize", [ROW, None, k([1, 1, 2])], {"mode": "linear"}),
    Case("Resize", [PICTURE, k([1, 1, 2, 2])], {}, (10,)),
    Case("Resize", [PICTURE, k([1, 1, 2, 2])], {"mode": "linear"}, (10,)),
    Case("Resize", [PICTURE, None, None, c(4, 4)], {"axes": [2, 3], "mode": "linear", "antialias": 1}, (18,)),
    Case("Resize", [PICTURE, None, None, c(4, 4)], {"axes": [2, 3], "mode": "cubic", "antialias": 1}, (18,)),
    *(
        Case(
            "Resize",
            [PICTURE, None, None, c(12, 10)],
            {"axes": [2, 3], "mode": "linear", "keep_aspect_ratio_policy": policy},
            (18,),
        )
        for policy in ("not_larger", "not_smaller")
    ),
    Case("Upsample", [PICTURE, k([1, 1, 2, 3])], {}, (9,)),
    Case("Upsample", [PICTURE, k([1, 1, 2, 3])], {"mode": "linear"}, (9,)),
    *(
        Case(
            "GridSample",
            [PICTURE, f(2, 3, 5, 2, high=1.2)],
            {"mode": mode, "padding_mode": pad, "align_corners": a},
            (16,),
        )
        for mode, pad, a in product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (0, 1))
    ),
    Case("GridSample", [PICTURE, f(2, 3, 5, 2)], {"mode": "linear"}, (20,)),
]


def _recurrent(kind: str, gates: int, direction: str, *, states: bool = False, **more: object) -> Case:
    ways, size = (2 if direction == "bidirectional" else 1), 5
    weights = [
        k(f(ways, gates * size, 3, low=-0.5, high=0.5)),
        k(f(ways, gates * size, size, low=-0.5, high=0.5)),
        k(f(ways, 2 * gates * size, low=-0.5, high=0.5)),
    ]
    more_inputs = (
        [None, *[f(ways, 2, size, seed=place) for place in range(2 if kind == "LSTM" else 1)]] if states else []
    )
    attributes = {"hidden_size": size, "direction": direction, **more}
    return Case(kind, [f(7, 2, 3), *weights, *more_inputs], attributes, (11, 17, 20), 3 if kind == "LSTM" else 2)


_RECURRENT = [
    *(
        _recurrent(kind, gates, direction, states=states)
        for (kind, gates), direction, states in product(
            (("LSTM", 4), ("GRU", 3), ("RNN", 1)), ("forward", "reverse", "bidirectional"), (False, True)
        )
    ),
    _recurrent("GRU", 3, "forward", linear_before_reset=1),
    _recurrent("GRU", 3, "bidirectional", linear_before_reset=1, states=True),
    _recurrent("LSTM", 4, "forward", activations=["HardSigmoid", "Relu", "Tanh"]),
    _recurrent("LSTM", 4, "forward", clip=0.3),
    _recurrent("RNN", 1, "forward", activations=["Relu"]),
]
_INTEGERS = Constant(np.random.default_rng(0).integers(-128, 127, (4, 3)).astype(np.int8))
_QUANTIZED = [
    Case("DequantizeLinear", [_INTEGERS, k(0.1), Constant(np.array(3, np.int8))]),
    Case("DequantizeLinear", [_INTEGERS, k(f(4, low=0.1)), Constant(np.zeros(4, np.int8))], {"axis": 0}, NEW),
    Case("QuantizeLinear", [f(4, 3), k(0.02), Constant(np.array(3, np.int8))]),
    Case("QuantizeLinear", [f(4, 3), k(f(3, low=0.01, high=0.05)), Constant(np.zeros(3, np.uint8))], {"axis": 1}, NEW),
]
_LEFT = Constant(np.random.default_rng(1).integers(0, 255, (4, 3)).astype(np.uint8))
_RIGHT = Constant(np.random.default_rng(2).integers(-128, 127, (3, 5)).astype(np.int8))
_ZERO, _OTHER = Constant(np.array(99, np.uint8)), Constant(np.array(3, np.int8))
_INTEGER_PRODUCTS = [
    Case("MatMulInteger", [_LEFT, _RIGHT]),
    Case("MatMulInteger", [_LEFT, _RIGHT, _ZERO, _OTHER]),
    *(
        Case("QLinearMatMul", [_LEFT, k(0.1), _ZERO, _RIGHT, k(scales), Constant(zeros), k(0.9), _ZERO])
        for scales, zeros in ((0.02, _OTHER.array), (f(5, low=0.01, high=0.02), np.full(5, 3, np.int8)))
    ),
]
CASES = _CONV + _POOL + _NORMAL + _PRODUCTS + _PADS + _RESIZES + _RECURRENT + _QUANTIZED + _INTEGER_PRODUCTS
