"""The design of a report's page: its palette in two themes, the style sheet, the script, and their hashes.

Categorical colours are Okabe and Ito's ("Color Universal Design", 2008), which people with any common colour blindness
can tell apart; on white and on near-black only those of their eight with a contrast of 3 or more are used. Text
colours have a contrast of at least 4.5 on every background that they stand on (WCAG 2.2, success criteria 1.4.3 and
1.4.11). A test computes both.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

#: Name -> (light, dark). Each is a custom property of the style sheet.
PALETTE = {
    "back": ("#ffffff", "#101418"),
    "card": ("#f6f7f9", "#181d23"),
    "text": ("#1b1f24", "#e8ebee"),
    "dim": ("#545c66", "#a3abb5"),
    "line": ("#d3d8de", "#363d46"),
    "accent": ("#0072b2", "#56b4e9"),
    "second": ("#d55e00", "#e69f00"),
    "link": ("#005a8d", "#7cc5f0"),
    "good": ("#00614a", "#4fd0a8"),
    "bad": ("#a32d00", "#ff9b6a"),
    "alarm": ("#fdece3", "#3a1f10"),
}

#: Colours of words, colours of marks, and their backgrounds.
WORDS = ("text", "dim", "link", "good", "bad")
MARKS = ("accent", "second", "text", "dim")
GROUNDS = ("back", "card", "alarm")

_FILES = Path(__file__).parent


@cache
def style() -> str:
    """The whole style sheet. Dark colours are for screens only: paper is white."""
    light, dark = (
        "".join(f"--{name}:{pair[at]};" for name, pair in PALETTE.items()) + f"color-scheme:{theme}"
        for at, theme in enumerate(("light", "dark"))
    )
    themes = (
        f":root{{{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
    )
    return themes + (_FILES / "report.css").read_text(encoding="utf-8")


@cache
def script() -> str:
    """The script: the theme switch and the copy buttons. The page is complete without it."""
    return (_FILES / "report.js").read_text(encoding="utf-8")


@cache
def policy() -> str:
    """The content security policy: only this style and this script, by their hashes."""
    return (
        f"default-src 'none'; style-src {_hash(style())}; script-src {_hash(script())}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
