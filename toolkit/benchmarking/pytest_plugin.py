"""A pytest plugin: measure a bundle in a suite of your own, on top of pytest-benchmark.

    def test_speed(edgekit_benchmark):
        prediction = edgekit_benchmark("clip.flac")
        assert "country" in prediction.output

and ``pytest --edgekit-bundle whisper-base-laptop-int8``. The option can be repeated: each test then runs with each
bundle. This file imports nothing but pytest until a test asks for the fixture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from edgekit.core import Prediction

_FIXTURE = "edgekit_benchmark"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--edgekit-bundle`` and ``--edgekit-threads``."""
    group = parser.getgroup("edgekit", "on-device models")
    group.addoption(
        "--edgekit-bundle", action="append", default=[], metavar="DIR", help="bundle that edgekit_benchmark measures"
    )
    group.addoption("--edgekit-threads", type=int, default=1, metavar="N", help="threads it may use (1)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test per bundle."""
    if _FIXTURE in metafunc.fixturenames:
        bundles = metafunc.config.getoption("--edgekit-bundle")
        absent = pytest.mark.skip(reason="no bundle to measure: give --edgekit-bundle DIR")
        chosen = bundles or [pytest.param(None, marks=absent)]
        names = [Path(name).name for name in bundles] or ["no bundle"]
        metafunc.parametrize(_FIXTURE, chosen, indirect=True, ids=names)


class EdgekitBenchmark:
    """The fixture's value: call it with an input to measure `predict`, once per test.

    Attributes:
        predictor: the loaded bundle. bundle: its path.
    """

    def __init__(self, bundle: str, threads: int, benchmark: Any) -> None:
        from edgekit.bundles.bundle import open_bundle
        from edgekit.bundles.opened import load

        self.bundle = Path(bundle)
        self.predictor = load(self.bundle, threads)
        manifest = open_bundle(self.bundle, hashes=False).manifest
        self._benchmark = benchmark
        self._facts = {
            "model": manifest.model.name,
            "target": manifest.target.name,
            "exporter": manifest.recipe.exporter,
            "precision": manifest.recipe.precision,
            "key": manifest.key,
            "threads": threads,
            "fidelity": "host",
        }

    def __call__(self, sample: Any, **options: Any) -> Prediction:
        """Measure ``predict(sample, **options)`` and return its answer. pytest-benchmark decides how often it runs;
        facts of the bundle are in its ``extra_info``."""
        self._benchmark.extra_info.update({f"edgekit.{name}": value for name, value in self._facts.items()})
        prediction: Prediction = self._benchmark(self.predictor.predict, sample, **options)
        return prediction


@pytest.fixture
def edgekit_benchmark(request: pytest.FixtureRequest) -> EdgekitBenchmark:
    """Measures the bundle of ``--edgekit-bundle`` in this process. See `EdgekitBenchmark`."""
    try:
        benchmark = request.getfixturevalue("benchmark")
    except pytest.FixtureLookupError:
        from edgekit.errors import install_command

        pytest.fail(f"edgekit_benchmark needs pytest-benchmark: {install_command('pytest')}", pytrace=False)
    return EdgekitBenchmark(request.param, request.config.getoption("--edgekit-threads"), benchmark)
