"""Names that a Gradle module gets: a Java package, a module, a version. What is not legal is refused at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.errors import BadInput

#: Option -> what it means.
OPTIONS = {
    "package": "Java package and Maven group, such as com.example.speech",
    "name": "of the module and the Maven artifact, such as speech",
    "version": "of the Maven artifact, such as 1.2.0",
    "agp": "major version of the Android Gradle plugin: 9, or 8",
    "pack": "yes: the graphs go into an asset pack, however small they are",
}

#: Words that neither Java nor Kotlin takes as a part of a package's name.
_RESERVED = """
    abstract as assert boolean break byte case catch char class const continue default do double else enum extends
    false final finally float for fun goto if implements import in instanceof int interface is long native new null
    object package private protected public return short static strictfp super switch synchronized this throw throws
    transient true try typealias typeof val var void volatile when while _
"""
#: Packages of somebody else, in which Android refuses classes or tools drop them.
_TAKEN = ("android", "androidx", "dalvik", "java", "javax", "kotlin", "kotlinx", "org.tensorflow", "ai.onnxruntime")


@dataclass(frozen=True)
class Names:
    """Legal names."""

    package: str
    name: str
    version: str
    agp: int
    pack: bool


def names_of(options: Mapping[str, str], model: str) -> Names:
    """What the user asked for, else names made of the model's.

    Raises:
        BadInput: a name that Java, Kotlin, Gradle or Maven does not take.
    """
    words = re.findall(r"[A-Za-z0-9]+", model)
    if not words or words[0][0].isdigit() or words[0].lower() in _RESERVED.split():
        words = ["model", *words]
    package = options.get("package", f"edgekit.models.{'_'.join(words).lower()}"[:200])
    name = options.get("name", "-".join(words)[:64].strip("-"))
    version = options.get("version", "1.0.0")
    agp = options.get("agp", "9")
    _check_package(package)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*([._-][A-Za-z0-9]+)*", name) or len(name) > 64:
        raise BadInput(
            f"{name!r} cannot name a Gradle module: letters, digits and single hyphens, a letter first.",
            hint="Such as: -o name=speech",
        )
    if not re.fullmatch(r"[0-9A-Za-z]+([.+-][0-9A-Za-z]+)*", version) or len(version) > 64:
        raise BadInput(f"{version!r} is not a Maven version.", hint="Such as: -o version=1.2.0")
    if agp not in ("8", "9"):
        raise BadInput(f"modules are written for the Android Gradle plugin 8 or 9, not {agp!r}.", hint="-o agp=9")
    pack = options.get("pack", "no")
    if pack not in ("yes", "no"):
        raise BadInput(f"pack is yes or no, not {pack!r}.", hint="-o pack=yes")
    return Names(package, name, version, int(agp), pack == "yes")


def _check_package(package: str) -> None:
    example = "Such as: -o package=com.example.speech"
    steps = package.split(".")
    if len(package) > 200 or not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", step) for step in steps):
        raise BadInput(
            f"{package!r} is not a Java package: names of letters and digits with dots between.", hint=example
        )
    reserved = [step for step in steps if step in _RESERVED.split()]
    if reserved:
        raise BadInput(f"{package!r} is not a Java package: {reserved[0]!r} is a word of the language.", hint=example)
    if len(steps) < 2:
        raise BadInput(f"the package {package!r} has one part; Android wants at least two.", hint=example)
    taken = [prefix for prefix in _TAKEN if package == prefix or package.startswith(f"{prefix}.")]
    if taken:
        raise BadInput(f"the package {package!r} is inside {taken[0]}, which belongs to somebody else.", hint=example)
