"""Completions of shells: valid, with every verb and the names of today; and no cost for who does not ask."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.cli.command import run
from edgekit.registry import names


def completions(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        run(["--completions", shell])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_verbs_and_names(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = completions(shell, capsys)
    assert all(word in text for word in ("export", "doctor", "--precision", "whisper-base", "cortex-m4"))


def asked(script: Path, *words: str) -> list[str]:
    """What bash would offer for the last of `words`."""
    listed = " ".join(f"'{word}'" for word in words)
    place = f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}"
    code = f'source {script}; {place}; _shtab_edgekit; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_takes_the_script_and_completes_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "edgekit.bash"
    script.write_text(completions("bash", capsys), encoding="utf-8")
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert asked(script, "edgekit", "ex") == ["export"]
    assert asked(script, "edgekit", "export", "whisper-b") == ["whisper-base"]
    assert asked(script, "edgekit", "export", "whisper-base", "--target", "cortex-m") == [
        name for name in names("targets") if name.startswith("cortex-m")
    ]


@pytest.mark.parametrize("arguments", ["--completions bash", "--completions fish", "--help", "export --help", ""])
def test_a_reader_that_stops_early_is_no_error(arguments: str) -> None:
    main = "from edgekit.cli.command import main; main()"
    line = f"{{ '{sys.executable}' -P -c '{main}' {arguments}; echo \"exit $?\" >&2; }} | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines() == ["exit 0"]


def test_help_does_not_load_what_completions_need() -> None:
    code = "import sys; from edgekit.cli.command import run; run([]); sys.exit('shtab' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], capture_output=True).returncode == 0


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["--completions", "csh"])
    assert ended.value.code == 2 and "bash" in capsys.readouterr().err
