"""A folder as a repository of a hub on this machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from helpers.pages.server import Site

__all__ = ["COMMIT", "publish"]

COMMIT = "c" * 40


def publish(site: Site, folder: Path, name: str = "o/r", licence: str = "mit") -> None:
    """Serve `folder` as the repository `name`."""
    siblings = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        body, file = path.read_bytes(), path.relative_to(folder).as_posix()
        site.files[f"/{name}/resolve/{COMMIT}/{file}"] = body
        lfs = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "pointerSize": 1}
        siblings.append({"rfilename": file, "size": len(body)} | ({"lfs": lfs} if path.suffix != ".json" else {}))
    answer = {"id": name, "sha": COMMIT, "siblings": siblings, "cardData": {"license": licence}}
    site.files[f"/api/models/{name}"] = json.dumps(answer).encode()
