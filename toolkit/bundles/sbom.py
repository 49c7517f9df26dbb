"""A software bill of materials for a bundle: CycloneDX 1.6, the machine-learning profile (cyclonedx.org).

Written by hand: cyclonedx-python-lib, which the tests check the document with, has no model cards.
"""

from __future__ import annotations

import json
import urllib.parse
import uuid
from collections.abc import Mapping

from edgekit.bundles.manifest import File, Manifest
from edgekit.core import Facts
from edgekit.errors import DISTRIBUTION

NAME = "sbom.cdx.json"


def render(manifest: Manifest, files: Mapping[str, File]) -> bytes:
    """CycloneDX JSON for `manifest`, listing `files` and the tools. The same bundle gives the same bytes."""
    model, source = manifest.model, manifest.source
    # A declared licence is an SPDX identifier; that of other weights may be any word.
    weights = {"license": {"id" if source.pinned else "name": manifest.licences["weights"]}}
    version = (source.revision, manifest.recipe.exporter, manifest.recipe.precision)
    component: Facts = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": model.name,
        "version": "-".join(filter(None, version)),
        "licenses": [weights],
        "modelCard": {"modelParameters": {"task": model.task, "architectureFamily": model.family}},
        "externalReferences": [{"type": "distribution", "url": source.uri}],
    }
    document: Facts = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'edgekit:{manifest.key}')}",
        "version": 1,
        "metadata": {
            "component": component,
            "tools": {"components": [_tool(name, manifest) for name in sorted(manifest.versions)]},
        },
        "components": [
            *(_file(f"source/{name}", sha256) for name, sha256 in sorted(source.files.items())),
            *(_file(name, facts.sha256) for name, facts in sorted(files.items())),
        ],
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _tool(name: str, manifest: Manifest) -> Facts:
    package, version = DISTRIBUTION if name == "edgekit" else name, manifest.versions[name]
    purl = f"pkg:pypi/{package}@{urllib.parse.quote(version, safe='')}"  # a local version has a plus: 2.9.0+cpu
    terms = manifest.licences.get(name, "") if name != "edgekit" else ""
    own = {"licenses": [{"license": {"name": terms}}]} if terms else {}
    return {"type": "library", "name": name, "version": version, "purl": purl, **own}


def _file(name: str, sha256: str) -> Facts:
    return {"type": "file", "bom-ref": name, "name": name, "hashes": [{"alg": "SHA-256", "content": sha256}]}
