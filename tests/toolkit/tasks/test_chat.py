"""Chat templates: rendered as their models want it, and harmless whatever is in them."""

from __future__ import annotations

import pytest

from edgekit.errors import BadInput
from edgekit.formats.gguf import template as chat
from edgekit.formats.gguf.template import render

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
USER = [{"role": "user", "content": "Hello {{ 7 * 7 }}"}]


def test_a_template_renders_and_the_prompt_in_it_does_not() -> None:
    said = render(CHATML, [{"role": "system", "content": "Be short."}, *USER], {"bos_token": "", "eos_token": ""})
    assert said == (
        "<|im_start|>system\nBe short.<|im_end|>\n"
        "<|im_start|>user\nHello {{ 7 * 7 }}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_it_knows_tokens_json_and_loop_controls() -> None:
    template = "{{ bos_token }}{% for m in messages %}{{ m | tojson }}{% break %}{% endfor %}"
    assert render(template, [{"role": "user", "content": "é"}], {"bos_token": "<s>"}) == (
        '<s>{"role": "user", "content": "é"}'
    )


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{{ messages.append(1) }}", "SecurityError"),
        ("{% for a in range(10**9) %}x{% endfor %}", "OverflowError"),
        ("{{ 'x' * 10**7 }}", "more text"),
        ("{{ raise_exception('only one user') }}", "only one user"),
        ("{% if %}", "TemplateSyntaxError"),
        ("{{ open('/etc/passwd') }}", "UndefinedError"),
        ("{% include '/etc/passwd' %}", "no loader"),
    ],
)
def test_a_hostile_template_is_bad_input(template: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        render(template, USER, {})
    assert "raw=true" in caught.value.hint


def test_one_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "_SECONDS", 1.0)
    loops = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
    with pytest.raises(BadInput, match="did not end"):
        render(loops, USER, {})


def test_one_that_fills_the_memory_is_stopped() -> None:
    with pytest.raises(BadInput, match=r"MemoryError|too much"):
        render("{% set x = 'x' * 10**10 %}", USER, {})


def test_a_large_one_is_refused() -> None:
    with pytest.raises(BadInput, match="none needs so many"):
        render("x" * 300_000, USER, {})
