"""Small tokenizers: pieces of words learnt from a text of ours, and letters."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["write_letters", "write_tokenizer"]

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_tokenizer(folder: Path, words: int, most: int, *, pairs: bool) -> None:
    """A WordPiece tokenizer of at most `words` tokens, as transformers writes it. pairs: whether it numbers texts."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    text = Path(__file__).parents[3] / "models" / "data" / "golden" / "golden-prompt.txt"
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    alphabet = [chr(letter) for letter in range(33, 127)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=words, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([text.read_text("utf-8")], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True))
    inputs = ["input_ids", *(["token_type_ids"] if pairs else []), "attention_mask"]
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=most, model_input_names=inputs, **named)
    made.save_pretrained(folder)


def write_letters(folder: Path) -> None:
    """The letters of wav2vec 2.0's English networks, as transformers writes them."""
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    (folder / "vocab.json").write_text(json.dumps({letter: at for at, letter in enumerate(letters)}), "utf-8")
    settings = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "word_delimiter_token": "|",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "do_lower_case": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
