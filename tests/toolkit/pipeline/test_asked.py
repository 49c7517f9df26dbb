"""The arguments of an export are declared once, and callers see them as the function's own."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

import edgekit
from edgekit.pipeline.job import Asked


def test_the_call_has_the_fields_of_the_request() -> None:
    assert list(inspect.signature(edgekit.export).parameters) == [field.name for field in fields(Asked)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "toy", "precison": "int8"}, r"export\(\): got an unexpected keyword argument 'precison'"),
        ({}, r"export\(\): missing a required argument: 'model'"),
    ],
)
def test_other_arguments_are_refused_by_the_functions_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        edgekit.export(**given)
