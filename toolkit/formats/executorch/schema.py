"""The tables of a .pte, and of XNNPACK's graphs inside it, as far as they are read here (executorch 1.5)."""

from __future__ import annotations

from edgekit.formats.flatbuffer import Schema

PROGRAM: Schema = {
    "Program": (
        ("version", "<I"), ("execution_plan", ["ExecutionPlan"]), ("constant_buffer", ["Buffer"]),
        ("backend_delegate_data", ["Buffer"]), ("segments", ["DataSegment"]), ("constant_segment", "Subsegments"),
        ("mutable_data_segments", ["Subsegments"]), ("named_data", ["NamedData"]),
    ),
    "ExecutionPlan": (
        ("name", "text"), ("container_meta_type", "ContainerMetadata"), ("values", ["EValue"]), ("inputs", ["<i"]),
        ("outputs", ["<i"]), ("chains", ["Chain"]), ("operators", ["Operator"]), ("delegates", ["Delegate"]),
        ("non_const_buffer_sizes", ["<q"]),
    ),
    "Buffer": (("storage", ["<B"]),),
    "DataSegment": (("offset", "<Q"), ("size", "<Q")),
    "Subsegments": (("segment_index", "<I"), ("offsets", ["<Q"])),
    "NamedData": (("key", "text"), ("segment_index", "<I")),
    "ContainerMetadata": (("encoded_inp_str", "text"), ("encoded_out_str", "text")),
    "EValue": (
        ("val", (None, "Null", "Int", "Bool", "Double", "Tensor", "String", "IntList", "DoubleList", "BoolList",
                 "TensorList", "OptionalTensorList")),
    ),
    "Null": (),
    "Int": (("int_val", "<q"),),
    "Bool": (("bool_val", "<B"),),
    "Double": (("double_val", "<d"),),
    "String": (("string_val", "text"),),
    "IntList": (("items", ["<q"]),),
    "DoubleList": (("items", ["<d"]),),
    "BoolList": (("items", ["<B"]),),
    "TensorList": (("items", ["<i"]),),
    "OptionalTensorList": (("items", ["<i"]),),
    "Tensor": (
        ("scalar_type", "<b"), ("storage_offset", "<i"), ("sizes", ["<i"]), ("dim_order", ["<B"]),
        ("requires_grad", "<B"), ("data_buffer_idx", "<I"), ("allocation_info", "Allocation"), ("layout", "<b"),
        ("shape_dynamism", "<b"), ("extra_tensor_info", "Extra"),
    ),
    "Allocation": (("memory_id", "<I"), ("memory_offset_low", "<I"), ("memory_offset_high", "<I")),
    "Extra": (("mutable_data_segments_idx", "<Q"), ("fully_qualified_name", "text"), ("location", "<b")),
    "Operator": (("name", "text"), ("overload", "text")),
    "Delegate": (("id", "text"), ("processed", "Reference"), ("compile_specs", ["CompileSpec"])),
    "Reference": (("location", "<b"), ("index", "<I")),
    "CompileSpec": (("key", "text"), ("value", ["<B"])),
    "Chain": (("inputs", ["<i"]), ("outputs", ["<i"]), ("instructions", ["Instruction"])),
    "Instruction": (("instr_args", (None, "KernelCall", "DelegateCall", "MoveCall", "JumpFalseCall", "FreeCall")),),
    "KernelCall": (("op_index", "<i"), ("args", ["<i"])),
    "DelegateCall": (("delegate_index", "<i"), ("args", ["<i"])),
    "MoveCall": (("move_from", "<i"), ("move_to", "<i")),
    "JumpFalseCall": (("cond_value_index", "<i"), ("destination_instruction", "<i")),
    "FreeCall": (("value_index", "<i"),),
}  # fmt: skip

_ENDS = (("input_id", "<I"), ("output_id", "<I"), ("flags", "<I"))
_UNARY, _BINARY = "Unary", "Binary"
#: The operators, in the order of their numbers; those of the same fields share a table, so a number tells them apart.
OPERATORS = (
    ("Add", _BINARY), ("FullyConnected", "FullyConnected"), ("Softmax", _UNARY), ("Sigmoid", _UNARY),
    ("StaticTranspose", "Transpose"), ("Clamp", _UNARY), ("Conv2d", "Conv"), ("Div", _BINARY),
    ("StaticResizeBilinear2D", "Resize"), ("StaticConstantPad", "Pad"), ("AvgPooling2d", "Pooling"),
    ("Minimum", _BINARY), ("DepthwiseConv2d", "Conv"), ("MaxPooling2d", "Pooling"), ("Multiply", _BINARY),
    ("Subtract", _BINARY), ("Floor", _UNARY), ("Convert", _UNARY), ("GlobalAvgPooling2d", _UNARY),
    ("StaticReshape", "Reshape"), ("ArgMaxPooling2d", "ArgMax"), ("SquareRoot", _UNARY), ("Ceiling", _UNARY),
    ("Hardswish", _UNARY), ("LeakyReLU", "Leaky"), ("Maximum", _BINARY), ("Negate", _UNARY), ("Square", _UNARY),
    ("ELU", "Elu"), ("Abs", _UNARY), ("PReLU", _BINARY), ("Concatenate2", "Cat"), ("Concatenate3", "Cat"),
    ("Concatenate4", "Cat"), ("StaticSlice", "Slice"), ("ScaledDotProductAttention", "Attention"),
    ("BatchMatrixMultiply", _BINARY), ("Concatenate5", "Cat"), ("ConvTranspose2d", "Conv"),
    ("ReciprocalSquareRoot", _UNARY), ("Log", _UNARY), ("Gelu", _UNARY), ("Tanh", _UNARY), ("Exp", _UNARY),
    ("Sin", _UNARY), ("Copy", _UNARY), ("Cos", _UNARY),
)  # fmt: skip
_SHARED: Schema = {
    "Unary": _ENDS,
    "Binary": (("input1_id", "<I"), ("input2_id", "<I"), ("output_id", "<I"), ("flags", "<I")),
    "FullyConnected": (
        ("input1_id", "<I"), ("filter_id", "<I"), ("bias_id", "<I"), ("output_id", "<I"), ("flags", "<I"),
    ),
    "Transpose": (("num_dims", "<I"), ("perm", ["<I"]), *_ENDS),
    "Conv": (
        *((name, "<I") for name in (
            "padding_top", "padding_right", "padding_bottom", "padding_left", "kernel_height", "kernel_width",
            "subsampling_height", "subsampling_width", "dilation_height", "dilation_width", "group_input_channels",
            "group_output_channels", "groups", "adjustment_height", "adjustment_width",
        )),
        ("input1_id", "<I"), ("filter_id", "<I"), ("bias_id", "<I"), ("output_id", "<I"), ("flags", "<I"),
    ),
    "Resize": (("new_height", "<I"), ("new_width", "<I"), *_ENDS),
    "Pad": (("pre_paddings", ["<I"]), ("post_paddings", ["<I"]), ("padding_value", "<f"), *_ENDS),
    "Pooling": (
        *((name, "<I") for name in (
            "padding_top", "padding_right", "padding_bottom", "padding_left", "pooling_height", "pooling_width",
            "stride_height", "stride_width", "dilation_height", "dilation_width",
        )),
        *_ENDS,
    ),
    "ArgMax": (
        *((name, "<I") for name in (
            "padding_top", "padding_right", "padding_bottom", "padding_left", "pooling_height", "pooling_width",
        )),
        ("input_id", "<I"), ("output_value_id", "<I"), ("output_index_id", "<I"), ("flags", "<I"),
    ),
    "Reshape": (("num_dims", "<I"), ("new_shape", ["<I"]), *_ENDS),
    "Slice": (("num_dims", "<I"), ("offsets", ["<I"]), ("sizes", ["<I"]), *_ENDS),
    "Leaky": (("negative_slope", "<f"), *_ENDS),
    "Elu": (("alpha", "<f"), *_ENDS),
    "Cat": (
        ("axis", "<I"), ("input1_id", "<I"), ("input2_id", "<I"), ("input3_id", "<I"), ("input4_id", "<I"),
        ("output_id", "<I"), ("flags", "<I"), ("input5_id", "<I"),
    ),
    "Attention": (
        ("query_id", "<I"), ("key_id", "<I"), ("value_id", "<I"), ("scale_id", "<I"), ("mask_id", "<I"),
        ("output_id", "<I"), ("flags", "<I"),
    ),
}  # fmt: skip

XNNPACK: Schema = {
    "XNNGraph": (
        ("version", "text"), ("xnodes", ["XNode"]), ("xvalues", ["XValue"]), ("num_externs", "<I"),
        ("input_ids", ["<I"]), ("output_ids", ["<I"]), ("constant_buffer", ["<I"]), ("mem_buffer_sizes", ["<I"]),
        ("constant_data", ["Constant"]),
    ),
    "XNode": (("xnode_union", (None, *(name for name, _ in OPERATORS))), ("debug_handle", "<I"), ("limits", "Limits")),
    "Limits": (("least", "<f"), ("most", "<f")),
    **{name: _SHARED[table] for name, table in OPERATORS},
    "XValue": (("xvalue_union", (None, "Tensor", "Quantized")),),
    "Tensor": (
        ("datatype", "<h"), ("num_dims", "<I"), ("dims", ["<I"]), ("constant_buffer_idx", "<I"), ("external_id", "<I"),
        ("flags", "<I"), ("id_out", "<I"),
    ),
    "Quantized": (("tensor_value", "Tensor"), ("quant_params", (None, "Channel", "Single", "Token", "Group"))),
    "Channel": (("scale", ["<f"]), ("channel_dim", "<i"), ("scale_buffer_idx", "<I"), ("num_scales", "<I")),
    "Single": (("scale", "<f"), ("zero_point", "<i")),
    "Token": (("num_nonbatch_dims", "<i"),),
    "Group": (
        ("scale", ["<f"]), ("channel_dim", "<i"), ("group_size", "<i"), ("scale_bf16", ["<H"]),
        ("scale_buffer_idx", "<I"), ("num_scales", "<I"),
    ),
    "Constant": (("offset", "<Q"), ("size", "<Q"), ("named_key", "text")),
}  # fmt: skip
