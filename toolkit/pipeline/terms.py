"""Terms of use of weights: shown, and accepted by name, before anything is fetched."""

from __future__ import annotations

import os
from collections.abc import Sequence

from edgekit.common import package_data
from edgekit.core import Model
from edgekit.errors import BadInput

_VARIABLE = "EDGEKIT_ACCEPT_TERMS"


def check_terms(model: Model, accepted: Sequence[str]) -> None:
    """Raise BadInput, with the terms, if `model` has terms that are accepted neither here nor in the environment.

    Args:
        accepted: names of terms. EDGEKIT_ACCEPT_TERMS holds more, with commas between.
    """
    terms = model.identity.terms
    named = {name.strip().lower() for name in (*accepted, *os.environ.get(_VARIABLE, "").split(","))}
    if not terms or terms in named:
        return
    text = package_data.read(model.identity.licence_text).decode().strip()
    raise BadInput(
        f"{model.name} comes with terms of use that you must accept first ({terms}):\n\n{text}\n",
        hint=f"If you do: edgekit export {model.name} --accept-terms {terms}, or {_VARIABLE}={terms}",
    )
