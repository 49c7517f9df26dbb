"""Chat templates as texts between messages: what is believed, and what is refused."""

from __future__ import annotations

import pytest

from edgekit.errors import Unsupported
from edgekit.formats.gguf.template import render
from edgekit.formats.gguf.turns import between, render_prompt

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|system|>default<|end|>{% endif %}"
    "<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|assistant|>"
)
#: The system message goes into the first question, and messages lose their spaces.
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set head = messages[0].content | trim + '\n\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set head = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ head if loop.first else '' }}{{ m.content | trim }}</turn>\n{% endfor %}<turn>model\n"
)


@pytest.mark.parametrize(("template", "begins", "trims"), [(CHATML, False, False), (GEMMA, True, True)])
def test_texts_make_what_the_template_makes(template: str, begins: bool, trims: bool) -> None:
    texts = between(template, TOKENS)
    assert (texts["begins"], texts["trim"]) == (begins, trims)
    messages = [
        {"role": "system", "content": "Be kind. "},
        {"role": "user", "content": "{{ not a template }}\n"},
        {"role": "assistant", "content": " Yes"},
        {"role": "user", "content": "and?"},
    ]
    assert render_prompt(texts, messages) == render(template, messages, TOKENS)
    assert render_prompt(texts, messages[1:]) == render(template, messages[1:], TOKENS)


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ loop.index }}{{ m.content }}{% endfor %}",
        "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
        "{{ messages[-1].content }}",
    ],
)
def test_a_template_that_does_more_is_refused(template: str) -> None:
    with pytest.raises(Unsupported, match="does more than put texts around messages"):
        between(template, TOKENS)
