"""The GitHub Action: its own shell, run here step by step in a git repository with a base branch.

Most run the toy model, whose measured processes read a clock of their own (`helpers.pages.slow_kernel`), so the verdict
does not depend on this machine. What a microcontroller takes is counted in its emulator.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from helpers.cases.tflite_models import Builder
from helpers.pages import slow_kernel
from helpers.toys import toy_model
from safetensors.numpy import save_file

from edgekit.core import Measurement, Report
from edgekit.reports.report import save

ACTION = Path(__file__).parents[3] / "action.yml"
WORKFLOW = ACTION.parent / "docs" / "ci-workflow.yml"

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not (shutil.which("git") and shutil.which("bash")), reason="needs git and bash"),
]


def steps() -> dict[str, tuple[str, list[str]]]:
    """Step name -> (its shell, the names of its environment), as GitHub's runner reads them."""
    found = {}
    for block in re.split(r"^    - name: ", ACTION.read_text(), flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition("\n")
        script = re.search(r"^      run: \|\n((?:        .*\n|\n)+)", rest, re.MULTILINE)
        assert script is not None, name
        names = re.findall(r"^        ([A-Z_]+): \$\{\{", rest, re.MULTILINE)
        found[name] = (re.sub(r"^        ", "", script[1], flags=re.MULTILINE), names)
    return found


def example() -> dict[str, str]:
    """What the workflow that people copy gives to the action."""
    step = re.search(r"- uses: edgekit/edgekit@.*\n        with:\n((?:          .*\n)+)", WORKFLOW.read_text())
    assert step is not None
    return {name: value.strip('"') for name, value in re.findall(r"^ +([a-z-]+): (.*)$", step[1], re.MULTILINE)}


class Runner:
    """A checkout with a base branch, and stand-ins for pip and gh that write down what they were asked."""

    def __init__(self, toy: Any, folder: Path) -> None:
        self.folder, self.site = folder, toy_model.install(folder / "site", slow_kernel.ENTRY_POINTS)
        self.tools, self.repo, self.origin = folder / "bin", folder / "repo", folder / "origin.git"
        self.tools.mkdir()
        main = "from edgekit.cli.command import main; main()"
        self._tool("edgekit", f"exec '{sys.executable}' -c '{main}' \"$@\"")
        self._tool("gh", f'echo "gh $*" >> {folder}/asked')
        self._tool("python3", f'echo "python3 $*" >> {folder}/asked')
        others = [path for path in toy.path.split(os.pathsep) if path != str(toy.site)]
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "GIT_"))},
            "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(self.site), *others]),
            "EDGEKIT_CACHE": str(folder / "cache"),
            "EDGEKIT_FAKE_CLOCK": "1",
            "GITHUB_ACTION_PATH": str(ACTION.parent),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "MODEL": "toy-speller",
            "TARGET": "toy-board",
            "PRECISION": "",
            "WEIGHTS": "weights",
            "DATA": "",
            "MAX_REGRESSION": "0.03 load.*=off rss.*=off",
            "PROCESSES": "5",
            "THREADS": "1",
            "COMMENT": "true",
            "GH_TOKEN": "x",
            "PULL": "7",
        }
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", self.origin], check=True)
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", self.repo], check=True)
        self.git("remote", "add", "origin", str(self.origin))
        (self.repo / "README.md").write_text("a project of somebody\n")
        toy_model.write_weights(self.repo / "weights")
        self.publish()

    def _tool(self, name: str, line: str) -> None:
        (self.tools / name).write_text(f"#!/bin/bash\n{line}\n")
        (self.tools / name).chmod(0o755)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *arguments], cwd=self.repo, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")

    def publish(self) -> None:
        """What is here becomes the base branch."""
        self.commit()
        self.git("push", "--quiet", "origin", "main")

    def run(self, *only: str, **changes: str) -> tuple[int, str]:
        """All steps (or `only` these) until one fails: its exit code (0 if none), and what was printed."""
        told = ""
        for name, (script, _) in steps().items():
            if only and name not in only:
                continue
            done = subprocess.run(
                # As GitHub starts `shell: bash`.
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
                cwd=self.repo,
                env=self.environment | changes,
                capture_output=True,
                text=True,
                timeout=300,
            )
            told += f"--- {name}\n{done.stdout}{done.stderr}"
            if done.returncode:
                return done.returncode, told
        return 0, told


@pytest.fixture
def runner(toy: Any, tmp_path: Path) -> Runner:
    return Runner(toy, tmp_path)


def test_a_slowed_kernel_turns_the_check_red_and_is_told(runner: Runner) -> None:
    labels = runner.repo / "weights" / "labels.txt"
    labels.write_text(labels.read_text() + "\nslow")
    runner.commit()
    code, told = runner.run(GITHUB_BASE_REF="main", MAX_REGRESSION=example()["max-regression"])
    assert code == 7, told
    page = (runner.repo / "edgekit.md").read_text()
    assert re.search(r"🔴 part\.network\.latency \(1\.(19|20|21) times\)", page)
    assert re.search(r"🔴 end\\_to\\_end\.latency \(1\.(09|10|11) times\)", page)
    assert "part.frontend" in page and "🔴 part.frontend" not in page
    assert (runner.folder / "summary").read_text() == page
    asked = (runner.folder / "asked").read_text()
    assert "gh pr comment 7 --body-file edgekit.md" in asked and "pip install" in asked
    assert '<failure message="slower' in (runner.repo / "edgekit.xml").read_text()
    assert "<html" in (runner.repo / "edgekit.html").read_text()


def test_an_unchanged_model_stays_green(runner: Runner) -> None:
    toy_model.write_data(runner.repo / "data")
    runner.publish()
    code, told = runner.run(GITHUB_BASE_REF="main", DATA="data")
    assert code == 0, told
    page = (runner.repo / "edgekit.md").read_text()
    assert "no regression" in page and page.count("exact | equal |") >= 4
    assert "| accuracy | 0 wer | 0 wer |" in page and "| bundle.size |" in page


def test_a_base_branch_without_these_weights_is_skipped_and_told(runner: Runner) -> None:
    toy_model.write_weights(runner.repo / "mine", seed=6)
    runner.commit()
    code, told = runner.run(GITHUB_BASE_REF="main", WEIGHTS="mine")
    assert code == 0 and "::warning title=edgekit::nothing is compared: the base branch has no mine" in told
    assert (runner.repo / "edgekit.json").is_file() and not (runner.repo / "edgekit.md").exists()


def test_a_base_branch_that_fails_is_red(runner: Runner) -> None:
    good = (runner.repo / "weights" / "model.safetensors").read_bytes()
    (runner.repo / "weights" / "model.safetensors").write_bytes(good[:-1])
    runner.publish()
    (runner.repo / "weights" / "model.safetensors").write_bytes(good)
    runner.commit()
    code, told = runner.run(GITHUB_BASE_REF="main")
    assert code not in (0, 7) and "model.safetensors" in told, told
    assert "--- verify" not in told, "nothing is measured beside a base that is not there"


def test_a_base_branch_that_cannot_be_fetched_is_red(runner: Runner) -> None:
    code, told = runner.run(GITHUB_BASE_REF="gone")
    assert code not in (0, 7) and "gone" in told


def test_lower_accuracy_is_red_though_the_gate_passes(runner: Runner) -> None:
    """The new weights lose nothing against their own fp32, and answer some samples wrong that the old ones knew."""
    toy_model.write_data(runner.repo / "data")
    runner.publish()
    other = toy_model.weights()
    other["down"] += np.random.default_rng(0).normal(0.0, 2.0, other["down"].shape).astype(np.float32)
    save_file(other, runner.repo / "weights" / "model.safetensors")
    runner.commit()
    code, told = runner.run(GITHUB_BASE_REF="main", DATA="data")
    assert code == 7, told
    page = (runner.repo / "edgekit.md").read_text()
    assert "🔴 accuracy (0 wer to 0." in page and page.startswith("### edgekit: 1 regression\n")


def prepared(runner: Runner, factor: float) -> None:
    """What the step `bench` leaves, with times that are `factor` of the base's in the new report."""
    (runner.repo / "edgekit-base").mkdir()
    for name, times in (("edgekit-base.json", 1.0), ("edgekit.json", factor)):
        values = tuple(tuple(0.02 * times * (1 + 0.001 * ((i * 7 + p * 3) % 10)) for i in range(20)) for p in range(10))
        host = {"cpu": "a cpu", "run": {"session": "one"}}
        latency = Measurement("end_to_end.latency", "s", values)
        save(Report(1, {"model": "m", "target": "t"}, "host", host, {}, [], 1, (latency,)), runner.repo / name)


@pytest.mark.parametrize(("factor", "code"), [(1.05, 7), (1.02, 0), (1.0, 0), (0.9, 0)])
def test_five_percent_slower_is_red(runner: Runner, factor: float, code: int) -> None:
    prepared(runner, factor)
    found, told = runner.run("compare", "comment", GITHUB_BASE_REF="main", MAX_REGRESSION="0.03")
    assert found == code, told
    assert ("🔴 end\\_to\\_end.latency (1.05 times)" in (runner.repo / "edgekit.md").read_text()) == (code == 7)


def test_a_limit_that_means_nothing_and_a_lost_base_report_are_red(runner: Runner) -> None:
    prepared(runner, 1.0)
    code, told = runner.run("compare", "comment", MAX_REGRESSION="0.03 latecny=0.02")
    assert code == 2 and "latecny matches no measurement" in told and "Did you mean latency?" in told
    (runner.repo / "edgekit-base.json").unlink()
    assert runner.run("compare", "comment")[0] == 2


@pytest.fixture
def firmware_tools() -> None:
    """A compiler and an emulator. Without them a test is skipped; in CI (environment variable CI) it fails."""
    missing = [name for name in ("arm-none-eabi-gcc", "qemu-system-arm") if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} not found, and CI is set: make firmware-tools")
    if missing:
        pytest.skip(f"{', '.join(missing)} not found; install with: make firmware-tools")


def chip_network(hidden: int) -> bytes:
    """An int8 network of two products, 16 -> `hidden` -> 3."""
    rng, b = np.random.default_rng(0), Builder()
    widths = (16, hidden, 3)
    tensors = [b.tensor((1, width), scale=0.1) for width in widths]
    for at, (wide, high) in enumerate(itertools.pairwise(widths)):
        weights = rng.integers(-127, 128, (high, wide)).astype(np.int8)
        product = b.tensor((high, wide), scale=0.01, data=weights)
        b.add("FULLY_CONNECTED", [tensors[at], product, -1], [tensors[at + 1]], schema.FullyConnectedOptionsT())
    return b.finish([tensors[0]], [tensors[-1]])


@pytest.mark.usefixtures("firmware_tools")
@pytest.mark.parametrize(("hidden", "code"), [(9, 7), (8, 0)])
def test_a_byte_more_flash_is_red_as_the_emulator_counts(runner: Runner, hidden: int, code: int) -> None:
    (runner.repo / "net.tflite").write_bytes(chip_network(8))
    runner.publish()
    (runner.repo / "net.tflite").write_bytes(chip_network(hidden))
    runner.git("commit", "--quiet", "--all", "--allow-empty", "--message=x")
    chip = {"MODEL": "net.tflite", "TARGET": "cortex-m4", "WEIGHTS": "", "MAX_REGRESSION": "0.03"}
    found, told = runner.run(GITHUB_BASE_REF="main", **chip)
    assert found == code, told
    page = (runner.repo / "edgekit.md").read_text()
    assert "(emulated)" in page and " ms |" not in page, "no time of this machine stands for a chip"
    assert bool(re.search(r"🔴 footprint\.flash \([\d,]+ B to [\d,]+ B\)", page)) == (code == 7)


def test_without_a_base_branch_there_is_a_report_and_no_comparison(runner: Runner) -> None:
    code, told = runner.run()
    assert code == 0, told
    assert (runner.repo / "edgekit.json").is_file() and not (runner.repo / "edgekit.md").exists()
    assert "gh " not in (runner.folder / "asked").read_text()


def test_the_workflow_to_copy_gives_what_the_action_takes_and_keeps_what_it_writes() -> None:
    inputs, text = set(re.findall(r"^  ([a-z-]+):$", ACTION.read_text(), re.MULTILINE)), WORKFLOW.read_text()
    assert set(example()) <= inputs and {"model", "max-regression"} <= set(example())
    kept = re.findall(r"^            (edgekit\S+)$", text, re.MULTILINE)
    assert len(kept) >= 4
    script = "".join(script for script, _ in steps().values())
    assert all(name in script or name == "edgekit-base.json" for name in kept)
    assert "pull-requests: write" in text and "on: pull_request" in text


def test_every_input_reaches_the_shell_as_an_environment_variable() -> None:
    """Text of a pull request is never pasted into a script: that would run it."""
    for name, (script, names) in steps().items():
        assert "${{" not in script, name
        used = set(re.findall(r"\$\{?([A-Z_]+)", script))
        known = {*names, "GITHUB_ACTION_PATH", "GITHUB_BASE_REF", "GITHUB_STEP_SUMMARY"}
        assert used <= known, name
