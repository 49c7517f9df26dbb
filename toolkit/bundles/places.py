"""What a manifest says of accelerators: where parts run, whether they are right there, and what that is worth."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from edgekit.common.figures import NOT_MEASURED
from edgekit.core import FLOAT_FORMS, Facts, Placement, fact_of

#: The share of multiplications below which a part counts as torn apart.
WHOLE = 0.99
#: Layers that the unit does not compute and that are named.
_NAMED = 3


class _Layer(TypedDict):
    form: str


def placement_of(census: Facts) -> Placement | None:
    """What the census of a part says of its accelerator; None: it has none. Raises msgspec.ValidationError."""
    placement = fact_of(census, "placement", dict, {})
    # Older bundles for OpenVINO have counts of its kernels in this place.
    return msgspec.convert(placement, Placement) if "unit" in placement else None


def placements_of(census: Facts) -> list[Placement]:
    """That of `placement_of`, and what partitioners for other units say of a part. Raises BadInput, too."""
    elsewhere = fact_of(census, "partitioners", dict[str, Placement], {})
    return [*([own] if (own := placement_of(census)) else []), *elsewhere.values()]


def is_quantized(census: Facts) -> bool:
    """Whether a part computes layers in integers."""
    return any(form not in FLOAT_FORMS for form in forms_of(census))


def forms_of(census: Facts) -> list[str]:
    """The forms of a part's layers, one by one."""
    return [layer["form"] for layer in fact_of(census, "layers", dict[str, _Layer], {}).values()]


def describe(part: str, placement: Placement) -> list[str]:
    """Lines for people; all but the first belong below it. Of what was counted, none where it is whole."""
    counted = placement.fidelity == "counted"
    if counted and placement.pieces < 2 and not warnings(placement):
        return []
    if placement.verdict == "leave it off":
        return [f"{part}: leave it off {placement.unit}: {placement.why}"]
    shares = ((placement.multiplications, "of the multiplications"), (placement.weights, "of the weights"))
    told = [f"{share:.1%} {what}" for share, what in shares if share is not None]
    pieces = "one piece" if placement.pieces == 1 else f"{placement.pieces} pieces"
    sizes = [f"for {placement.sizes}; other sizes run on the processor"] if placement.sizes else []
    left = [f"{'not there' if counted else 'on the processor'}: {line}" for line in list_left(placement)]
    right = f" ({placement.fidelity}): {placement.why}" if placement.proof else f": {NOT_MEASURED}"
    return [
        f"{part}: on {placement.unit}: {', '.join([*told, pieces])}, says {placement.by}",
        *sizes,
        *left,
        *(
            []
            if counted  # parity and `bench` say that of the processor
            else [f"right there{right}", f"worth it: {placement.cost or NOT_MEASURED}; power: {NOT_MEASURED}"]
        ),
    ]


def list_left(placement: Placement) -> list[str]:
    """The first layers that the unit does not compute, and why, as phrases; the last one counts the others."""
    more = len(placement.left) - _NAMED
    named = [f"{layer}: {why}" for layer, why in [*placement.left.items()][:_NAMED]]
    return [*named, *([f"{more} more layer{'s' * (more > 1)} (manifest.json)"] if more > 0 else [])]


def warnings(placement: Placement) -> list[str]:
    """Doubts about a placement that is right, as phrases."""
    if placement.verdict == "leave it off":
        return []
    torn = [f"only {placement.share:.1%} of the work is there"] if placement.share < WHOLE else []
    several = placement.pieces > 1 and placement.fidelity != "counted"  # a processor hands nothing over
    return torn + ([f"in {placement.pieces} pieces"] if several else [])
