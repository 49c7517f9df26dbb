"""Operators that a .pt2 may name. torch looks names up in its whole module, so ``torch.os.system`` is one, too."""

from __future__ import annotations

import re

_ATEN = re.compile(r"torch\.ops\.aten\.([A-Za-z_]\w{0,80})\.([A-Za-z_]\w{0,40})")
_CONTROL = re.compile(r"torch\.ops\.higher_order\.(\w{1,60})")
#: Operators with graphs inside.
CONTROL = frozenset({"cond", "while_loop", "scan", "wrap_with_set_grad_enabled", "wrap_with_autocast"})
#: Arithmetic of sizes.
_SIZES = frozenset(
    {f"_operator.{name}" for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "pow", "neg", "pos", "abs")}
    | {f"_operator.{name}" for name in ("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "not_", "getitem")}
    | {f"math.{name}" for name in ("ceil", "floor", "trunc", "sqrt")}
    | {f"torch.sym_{name}" for name in ("int", "float", "not", "max", "min", "ite", "sqrt", "sum")}
    | {f"torch._sym_{name}" for name in ("sqrt", "log2")}
)
#: Operators of files, and those that give a tensor another memory.
_REFUSED = frozenset({"from_file", "save", "load", "set_", "resize_", "resize_as_", "set_data", "record_stream"})
#: Inner operators trust their arguments; these are what layers become.
_INNER = frozenset(
    {
        *("__and__", "__or__", "__xor__", "__iand__", "__ior__", "__ixor__", "__lshift__", "__rshift__"),
        *("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "_assert_async", "_assert_scalar"),
        *("_assert_tensor_metadata", "_batch_norm_impl_index", "_cast_Float", "_cdist_forward", "_conj"),
        *("_convolution", "_euclidean_dist", "_fft_c2c", "_fft_c2r", "_fft_r2c", "_local_scalar_dense"),
        *("_log_softmax", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"),
        *("_native_multi_head_attention", "_prelu_kernel", "_reshape_copy", "_safe_softmax"),
        *("_scaled_dot_product_flash_attention_for_cpu", "_shape_as_tensor", "_softmax", "_stack"),
        *("_thnn_fused_gru_cell", "_thnn_fused_lstm_cell", "_to_copy", "_transformer_encoder_layer_fwd"),
        *("_trilinear", "_unsafe_index", "_unsafe_index_put", "_unsafe_view", "_upsample_bicubic2d_aa"),
        *("_upsample_bilinear2d_aa", "_weight_norm", "_weight_norm_interface"),
    }
)
#: Operators with an argument of text, such as the rounding of a division.
_TEXTED = re.compile(
    r"div|div_|divide|gelu|gelu_|einsum|pad|index_reduce|scatter_reduce|scatter|searchsorted|bucketize|linalg_norm|"
    r"linalg_matrix_norm|linalg_qr|norm|meshgrid|stft|istft|tensordot|_assert\w+|fft_\w+|cumsum|floor_divide|quantile|"
    r"nanquantile|segment_reduce|linalg_svd|round|wrap_with_autocast"
)
_TEXT = re.compile(r"[\x20-\x7e]{0,400}")


def check(target: str) -> None:
    """Raise ValueError unless `target` names an operator that computes with tensors or sizes and nothing else."""
    if target in _SIZES:
        return
    if (inner := _CONTROL.fullmatch(target)) and inner[1] in CONTROL:
        return
    named = _ATEN.fullmatch(target)
    if named is None or named[1] in _REFUSED or "file" in named[1]:
        raise ValueError(f"the operator {target[:80]!r}, which is not of torch.ops.aten")
    if named[1].startswith("_") and named[1] not in _INNER:
        raise ValueError(f"the operator {target[:80]!r}, which is an inner operator of torch")


def check_text(target: str, text: str) -> None:
    """Raise ValueError unless the operator `target` takes text, and `text` is plain."""
    if not _TEXTED.fullmatch(short(target)) or not _TEXT.fullmatch(text):
        raise ValueError(f"text for the operator {target[:80]!r}, which takes none")


def short(target: str) -> str:
    """The name of an operator for people: ``conv2d`` of ``torch.ops.aten.conv2d.default``."""
    named = _ATEN.fullmatch(target)
    return named[1] if named else target.rpartition(".")[2]
