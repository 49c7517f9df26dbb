"""A small tokenizer of BERT's kind for text in lower case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["tokenizer"]


def tokenizer(file: Path, **changes: Any) -> Path:
    """Write its tokenizer.json, with other members where `changes` has them."""
    letters = [
        chr(code) for code in (*range(33, 127), 0xDF, 0x3C3, 0x3B1, 0x65E5, 0x672C, 0x4E2D, 0x1112, 0x1161, 0x11AB)
    ]
    words = ["the", "quick", "fox", "brown", "stop", "now", "ete", "word", "istanbul", "\u2014", "##es", "##op", "na"]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters, *(f"##{letter}" for letter in letters)]
    special = [{"id": i, "content": name, "special": True, "normalized": False, "single_word": False, "lstrip": False,
                "rstrip": False} for i, name in enumerate(names[:5])]  # fmt: skip
    frame = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
             {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]  # fmt: skip
    numbers = {name: {"id": name, "ids": [names.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    rules = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": frame, "pair": frame, "special_tokens": numbers},
        "decoder": None,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {name: i for i, name in enumerate(names)}},
    }  # fmt: skip
    file.write_text(json.dumps(rules | changes))
    return file
