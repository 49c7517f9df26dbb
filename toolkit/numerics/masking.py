"""The number that masks a score of attention in every format."""

from __future__ import annotations

#: What a masked position adds to its score, or has for one. Minus infinity, and the least float32, are infinite in
#: half precision and leave no steps of int8 for the rest; the exponential of this is 0 as well.
MASKED = -1e4
