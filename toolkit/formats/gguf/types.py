"""The types of GGUF: tensors (`GGML_TYPES`), file types (`FILE_TYPES`) and metadata values, as ggml.h and llama.h
number them.
"""

from __future__ import annotations

#: Number -> name, elements per block, bytes per block. What llama.cpp has removed is not here.
GGML_TYPES = {
    0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20), 6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 9: ("q8_1", 32, 36), 10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110),
    12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176), 14: ("q6_k", 256, 210), 15: ("q8_k", 256, 292),
    16: ("iq2_xxs", 256, 66), 17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110), 22: ("iq2_s", 256, 82), 23: ("iq4_xs", 256, 136), 24: ("i8", 1, 1),
    25: ("i16", 1, 2), 26: ("i32", 1, 4), 27: ("i64", 1, 8), 28: ("f64", 1, 8), 29: ("iq1_m", 256, 56),
    30: ("bf16", 1, 2), 34: ("tq1_0", 256, 54), 35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17), 40: ("nvfp4", 64, 36),
    41: ("q1_0", 128, 18), 42: ("q2_0", 64, 18),
}  # fmt: skip

#: Precision -> ``general.file_type``, the largest first. "Mostly": each mixes types by its own rules.
FILE_TYPES = {
    "f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q6_k": 18, "q5_1": 9, "q5_k_m": 17, "q5_k_s": 16, "q5_0": 8, "q4_1": 3,
    "q4_k_m": 15, "q4_k_s": 14, "iq4_nl": 25, "q4_0": 2, "iq4_xs": 30, "q3_k_l": 13, "q3_k_m": 12, "iq3_m": 27,
    "iq3_s": 26, "q3_k_s": 11, "iq3_xs": 22, "iq3_xxs": 23, "q2_k": 10, "q2_k_s": 21, "iq2_m": 29, "iq2_s": 28,
    "iq2_xs": 20, "iq2_xxs": 19, "iq1_m": 31, "iq1_s": 24,
}  # fmt: skip

#: Number of a metadata value's type -> struct's letter; strings (8) and arrays (9) have none.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
