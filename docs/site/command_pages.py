"""The reference of the command line, a page a verb, from the parsers themselves."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from text import fenced, table

from edgekit.cli.grammar import parser

__all__ = ["overview", "page", "verbs"]


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Verb -> its parser, in the order of the help."""
    top = parser()
    choices = next(action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return dict(choices)


def overview() -> str:
    """The Markdown of reference/cli/index.md."""
    rows = [[f"[`edgekit {name}`]({name}.md)", str(command.description)] for name, command in verbs().items()]
    return (
        "# Command line\n\nEvery command takes `--json`: one JSON document on standard output, and nothing else there. "
        "Progress and warnings go to standard error.\n\n"
        + table(["command", "what it does"], rows)
        + "\n## Options without a command\n\n"
        + table(["option", "meaning"], [_option(action) for action in parser()._actions if action.option_strings])
        + "\n## Exit codes\n\n"
        + table(["code", "meaning"], [[str(code), text] for code, text in _codes()])
    )


def page(name: str, command: argparse.ArgumentParser) -> str:
    """The Markdown of reference/cli/NAME.md."""
    os.environ["COLUMNS"] = "84"  # argparse wraps its usage by it
    arguments = [action for action in command._actions if not action.option_strings]
    options = [action for action in command._actions if action.option_strings]
    sections = [f"# edgekit {name}\n", str(command.description) + "\n", fenced(command.format_usage(), "text")]
    if arguments:
        sections += ["## Arguments\n", table(["argument", "meaning"], map(_argument, arguments))]
    sections += ["## Options\n", table(["option", "meaning"], map(_option, options))]
    command.format_help()  # late epilogs are made with the help
    if command.epilog:
        sections.append(command.epilog + "\n")
    return "\n".join(sections)


def _argument(action: argparse.Action) -> list[str]:
    shown = action.metavar or action.dest
    return [f"`{shown}`" + _choices(action), _help(action)]


def _option(action: argparse.Action) -> list[str]:
    flag = action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction)
    value = "" if flag or action.choices else f" {_value(action)}"
    return [", ".join(f"`{name}{value}`" for name in action.option_strings) + _choices(action), _help(action)]


def _value(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def _choices(action: argparse.Action) -> str:
    return f" ({', '.join(map(str, action.choices))})" if action.choices else ""


def _help(action: argparse.Action) -> str:
    text = (action.help or "") % {"default": action.default, "prog": "edgekit"}
    repeats = isinstance(action, argparse._AppendAction)
    return _escaped(text) + ("; can be repeated" if repeats else "")


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")


def _codes() -> Iterable[tuple[int, str]]:
    """Exit codes with the first sentence of their errors."""
    from edgekit import errors

    codes: dict[int, list[str]] = {0: ["success"]}
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.EdgekitError) and value is not errors.EdgekitError:
            first = (value.__doc__ or "").split(".")[0].replace("\n", " ").replace("``", "`")
            text = f"`{value.__name__}`: {' '.join(first.split())}"
            codes.setdefault(value.exit_code, []).append(text)
    codes[130] = ["interrupted by Ctrl-C"]
    return [(code, "<br>".join(texts)) for code, texts in sorted(codes.items())]
