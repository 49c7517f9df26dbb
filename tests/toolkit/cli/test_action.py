"""The GitHub Action: its own shell, run here on the toy model, with a kernel that is slowed on purpose.

The measured processes read a clock of their own (`helpers.pages.slow_kernel`), so the verdict does not depend on this
machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.pages import slow_kernel
from helpers.toys import toy_model

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
        toy_model.write_weights(self.repo / "weights")
        self.git("remote", "add", "origin", str(self.origin))
        self.commit()
        self.git("push", "--quiet", "origin", "main")

    def _tool(self, name: str, line: str) -> None:
        (self.tools / name).write_text(f"#!/bin/bash\n{line}\n")
        (self.tools / name).chmod(0o755)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *arguments], cwd=self.repo, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")

    def run(self, **changes: str) -> tuple[int, str]:
        """All steps until one fails: its exit code (0 if none), and what was printed."""
        told = ""
        for name, (script, _) in steps().items():
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
    assert "<html" in (runner.repo / "edgekit.reports.page.document").read_text()


def test_an_unchanged_model_stays_green(runner: Runner) -> None:
    code, told = runner.run(GITHUB_BASE_REF="main")
    assert code == 0, told
    assert "no regression" in (runner.repo / "edgekit.md").read_text()


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
