"""A model's own chat template, rendered in a safe process.

Templates are programs in Jinja2's language, and come with weights of any origin. Jinja2's sandbox keeps them
from Python's objects, but not from endless loops or from filling the memory. So each is rendered in a
process of its own, with limits of memory and time. That costs about 0.1 s per prompt.

The environment is that of transformers (``apply_chat_template``), for which templates are written: blocks
trimmed, loop controls, ``raise_exception``, ``strftime_now``, a ``tojson`` that escapes nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from edgekit.errors import BadInput, need

#: Most bytes of a template, and of the text that it adds to a prompt. The longest known template has 20 kB.
_LONGEST = 200_000
_SECONDS, _MEMORY = 10.0, 1 << 30
_RAW = "Go on without it: -o raw=true"


def render(template: str, messages: Sequence[Mapping[str, str]], tokens: Mapping[str, str]) -> str:
    """`messages` rendered by the template as a prompt, ready for the assistant's answer.

    Args:
        messages: ``{"role": "system" | "user" | "assistant", "content": text}`` each.
        tokens: ``bos_token``, ``eos_token`` and others by name, as texts.

    Raises:
        BadInput: the template is too large, is no template, refuses the messages, or does not end.
        MissingExtra: Jinja2 is not installed.
    """
    with need("slm", "A chat template"):
        import jinja2  # noqa: F401
    if len(template.encode()) > _LONGEST:
        raise BadInput(f"the model's chat template has {len(template.encode())} bytes; none needs so many.", hint=_RAW)
    job = json.dumps({"template": template, "messages": list(messages), "tokens": dict(tokens)})
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__], input=job.encode(), capture_output=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as exc:
        raise BadInput(f"the model's chat template did not end within {_SECONDS:.0f} s.", hint=_RAW) from exc
    try:
        answer = json.loads(done.stdout)
    except ValueError as exc:
        raise BadInput(
            f"the model's chat template was stopped: it took too much time or memory (exit code {done.returncode}).",
            hint=_RAW,
        ) from exc
    if "error" in answer:
        raise BadInput(f"the model's chat template cannot be used: {answer['error']}", hint=_RAW)
    return str(answer["prompt"])


def _main() -> None:
    _limit()
    job = json.load(sys.stdin)
    try:
        answer = {"prompt": _render(job["template"], job["messages"], job["tokens"])}
    except Exception as exc:  # whatever a template makes of it, it is the template's fault
        answer = {"error": f"{type(exc).__name__}: {str(exc)[:300]}."}
    json.dump(answer, sys.stdout)


def _limit() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has none of it; the parent's clock remains
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(_SECONDS), int(_SECONDS)))


def _render(template: str, messages: list[dict[str, str]], tokens: dict[str, str]) -> str:
    import jinja2
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> NoReturn:
        raise jinja2.TemplateError(message)

    def plain(value: Any, **how: Any) -> str:
        return json.dumps(value, ensure_ascii=False, indent=how.get("indent"))

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = plain
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    most = _LONGEST + 2 * sum(len(str(message.get("content"))) for message in messages)
    pieces: list[str] = []
    length = 0
    for piece in environment.from_string(template).generate(messages=messages, add_generation_prompt=True, **tokens):
        length += len(piece)
        if length > most:
            raise jinja2.TemplateError("it makes more text than any prompt needs")
        pieces.append(piece)
    return "".join(pieces)


if __name__ == "__main__":
    _main()
