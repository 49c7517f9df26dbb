"""Answers in a JSON schema: how many of 200 parse and validate, and what the grammar costs per token.

    python tests/peers/compare_schema.py BUNDLE [BUNDLE ...]

BUNDLE is a language model's (``edgekit export smollm2-135m``). Ten schemas, twenty prompts each. Exit status 1: an
answer is not valid. The cost is the time of a token with a grammar, divided by that without, on the same prompts in
turns.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from itertools import cycle, islice
from typing import Any

import jsonschema

import edgekit

PLACES = ["Paris", "Tokyo", "Cairo", "Lima", "Oslo"]
ASKED = ["Describe {}.", "Write a record about {}.", "What is known of {}? Answer briefly.", "{}, as JSON, please."]
TEXT: dict[str, Any] = {"type": "string"}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"name": TEXT, "country": TEXT}, "required": ["name", "country"]},
    {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 5},
    {"enum": ["city", "river", "mountain"]},
    {"type": "object", "properties": {"population": {"type": "integer"}}, "required": ["population"]},
    {"type": "object", "properties": {"capital": {"type": "boolean"}, "note": TEXT}, "required": ["capital"]},
    {"anyOf": [{"type": "number"}, {"type": "null"}]},
    {"type": "string", "pattern": "^[A-Z][a-z]{2,10}$"},
    {"type": "object", "properties": {"founded": {"type": "string", "format": "date"}}, "required": ["founded"]},
    {
        "type": "object",
        "properties": {"streets": {"type": "array", "items": {"$ref": "#/$defs/street"}, "maxItems": 2}},
        "required": ["streets"],
        "$defs": {
            "street": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 30}, "metres": {"type": "integer"}},
                "required": ["name", "metres"],
            }
        },
    },
    {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "string", "maxLength": 40}]},
]


def main(bundles: list[str]) -> int:
    """See the module."""
    broken = 0
    for bundle in bundles:
        writer = edgekit.load(bundle)
        valid, ratios = 0, []
        for schema in SCHEMAS:
            prompts = [form.format(place) for form in ASKED for place in PLACES]
            for i, prompt in enumerate(islice(cycle(prompts), 20)):
                answer = writer.predict(prompt, schema=schema)
                try:
                    jsonschema.validate(json.loads(answer.output), schema)
                    valid += 1
                except (ValueError, jsonschema.ValidationError) as exc:
                    print(f"{bundle}: {schema} {prompt!r}: {answer.output!r}: {str(exc).splitlines()[0]}")
                if not i and answer.details["tokens"] >= 8:
                    ratios.append(_cost(writer, prompt, schema, int(answer.details["tokens"])))
        count = 20 * len(SCHEMAS)
        broken += count - valid
        low, high = min(ratios), max(ratios)
        print(
            f"{bundle}: {valid} of {count} valid; a token takes {statistics.median(ratios):.2f} of its time without a "
            f"grammar ({low:.2f} to {high:.2f}, {len(ratios)} prompts)"
        )
    return int(broken > 0)


def _cost(writer: Any, prompt: str, schema: Any, most: int) -> float:
    """The least time of three, with the schema and without, in turns, after the first token."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(3):
        for held in (True, False):
            began = time.perf_counter()
            answer = writer.predict(prompt, most=most, **({"schema": schema} if held else {}))
            spent = time.perf_counter() - began - answer.marks["first_token"]
            if answer.details["tokens"] > 4:
                times[held].append(spent / (answer.details["tokens"] - 1))
    return min(times[True]) / min(times[False]) if all(times.values()) else 1.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
