"""Arm's compiler for Ethos-U processors: what of a firmware's network it places, and its own estimate of cycles."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from asked import questions, tell

from edgekit.bundles.places import placement_of
from edgekit.core import Artifact
from edgekit.errors import EdgekitError
from edgekit.runtimes.ethos_u.compiling import place_part

if __name__ == "__main__":
    for question in questions():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(shutil.copy(question.file, folder))
            try:
                placement = placement_of(place_part(Artifact("", file.name, {}), file.parent, "Ethos-U55-128").census)
                assert placement is not None
                placed = f"placed {placement.share:.1%} of the multiplications, {placement.cost}, not computed"
                tell(question, version("ethos-u-vela"), placed=placed)
            except EdgekitError as exc:
                tell(question, version("ethos-u-vela"), reason=str(exc).splitlines()[0])
