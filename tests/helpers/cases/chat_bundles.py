"""Bundles of a small Llama that an app can talk to, for tests of what apps get."""

from __future__ import annotations

from pathlib import Path

from conftest import absent
from helpers.cases.gguf_files import CHAT_TEMPLATE, llama_file

import edgekit
from edgekit.llama import library


def require_llama() -> None:
    """Skip where there is no llama.cpp; in CI fail."""
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")


def chat_bundle(folder: Path, target: str, template: str = CHAT_TEMPLATE) -> Path:
    """Random weights with a chat template, and a context that a few turns fill."""
    require_llama()
    # A prompt of bytes: the golden one takes 1500 tokens.
    file = llama_file(folder / "toy.gguf", tokenizer__chat_template=template)
    return edgekit.export(str(file), target=target, precision="f16", out=folder / "bundle", evidence=False).path
