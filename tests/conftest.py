"""Fixtures that several rooms share: where the data is, a toy Whisper, and real bundles made once a run."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

# Under import-mode=importlib no folder of tests is on the path; the helpers (tests/_*.py) are modules all the same.
if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))

from helpers.cases.whisper_cases import Phrase
from helpers.toys.toy_whisper import ToyWhisper

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle

# A shell that starts us in the background has us ignore Ctrl-C, and so would every process that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# To a JVM that lives for a second, good code and a collector of many threads cost more than they give.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

# Networks that each take all cores wait for one another: with PIN set, every process of tests has a core of its own.
if os.environ.get("PIN") and "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    _cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_cores[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) % len(_cores)]})

#: Fixtures that are made once a run and take long, the slowest first.
MADE_ONCE = ("int8_bundle", "loops_in")
SHARED = Path(__file__).parent.parent.parent / "shared"
# Weights that lie there are not fetched.
if (SHARED / "models").is_dir():
    os.environ.setdefault("EDGEKIT_MIRROR", str(SHARED / "models"))


def absent(reason: str) -> None:
    """Skip; in CI (environment variable CI) fail, so that nothing is left out there in silence."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI is set")
    pytest.skip(reason)


@pytest.hookimpl(trylast=True)  # when those that -m leaves out are gone
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The file that exports whisper-base comes first, else one that compiles the loops of apps: two processes that come
    to it at once would wait for each other."""
    users = (item.path for name in MADE_ONCE for item in items if name in getattr(item, "fixturenames", ()))
    first = next(users, None)
    items.sort(key=lambda item: item.path != first)


def pytest_collection_finish() -> None:
    """A tracer makes objects by the million, and torch's own are as many: looking through all of them again and again
    took a twelfth of an export's time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the data sets."""
    if not (SHARED / "data").is_dir():
        absent(f"there is no {SHARED / 'data'}: the data sets are not on this machine")
    return SHARED / "data"


@pytest.fixture(scope="session")
def speech(shared_data: Path) -> list[tuple[Path, str]]:
    """(file, what is said) of data/speech."""
    lines = (shared_data / "speech" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines if line.strip()]
    return [(shared_data / "speech" / entry["audio"], entry["text"]) for entry in entries]


@pytest.fixture(scope="session")
def other_speech(shared_data: Path) -> list[Path]:
    """Twelve clips of librispeech-test-other, of several speakers."""
    files = sorted((shared_data / "librispeech-test-other").rglob("*.flac"))
    return files[:: max(1, len(files) // 12)][:12]


@pytest.fixture(scope="session")
def toy_whisper(tmp_path_factory: pytest.TempPathFactory) -> ToyWhisper:
    """A Whisper of 64 channels and 2 + 2 layers with random weights, and a tokenizer of single bytes."""
    return ToyWhisper(tmp_path_factory.mktemp("toy-whisper"))


@pytest.fixture
def say(toy_whisper: ToyWhisper) -> Phrase:
    """Writes answers of its decoder as times and words."""
    return Phrase(toy_whisper)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a run share: what the first makes there, the others find. Lock what you make."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def bundle_of(made_once: Path) -> Callable[..., Bundle]:
    """`edgekit.export` without evidence; what this run exported with the same arguments is given again. It is for
    reading: copy what you change."""

    def give(model: str, target: str, **options: Any) -> Bundle:
        asked = json.dumps([model, target, options], sort_keys=True, default=str)
        digest = hashlib.sha256(asked.encode()).hexdigest()[:8]
        out = made_once / f"{Path(model).name.partition(':')[0]}-{target}-{digest}"
        with FileLock(f"{out}.lock"):
            if not out.is_dir():
                edgekit.export(model, target, out=out, evidence=False, **options)
            return open_bundle(out)

    return give


@pytest.fixture(scope="session")
def int8_bundle(bundle_of: Callable[..., Bundle]) -> Bundle:
    """whisper-base, real weights, int8, exported by this run."""
    return bundle_of("whisper-base", "laptop", precision="int8", fallback=False)


@pytest.fixture(scope="session")
def fp32_bundle(bundle_of: Callable[..., Bundle]) -> Bundle:
    """whisper-base, real weights, fp32, exported by this run."""
    return bundle_of("whisper-base", "laptop", precision="fp32", fallback=False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def real_checkpoint() -> Any:
    """The published weights of whisper-base, fetched into the cache."""
    from edgekit.formats.checkpoint import read_checkpoint
    from edgekit.registry import find
    from edgekit.sources.fetching import fetch

    folder, _ = fetch(find("models", "whisper-base").weights.sources)
    return read_checkpoint(folder)


@pytest.fixture(scope="session")
def real_state(real_checkpoint: Any) -> Mapping[str, Any]:
    from edgekit.models.whisper.shapes import Shape
    from edgekit.models.whisper.weights import state_dict

    return state_dict(real_checkpoint, Shape(width=512, heads=8, encoder_layers=6, decoder_layers=6))
