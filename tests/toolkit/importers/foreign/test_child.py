"""Foreign code in a process of its own: what it tries is refused in words, what it breaks breaks nothing of ours."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.errors import BadInput
from edgekit.importers.common.foreign import Request, run
from edgekit.importers.common.foreign.scoring import ANSWERS, TRUTHS, save

Score = Callable[..., list[float]]


@pytest.fixture
def score(tmp_path: Path) -> Score:
    """Run a file's function `f` in the child, through the entry of metrics, which loads no torch."""

    def call(body: str, *, clean: bool = False, scratch: Path | None = None) -> list[float]:
        folder, place = tmp_path / "user", scratch or tmp_path / "scratch"
        for path in (folder, place):
            path.mkdir(exist_ok=True)
        (folder / "mine.py").write_text(body, encoding="utf-8")
        save([1, 2], place, ANSWERS)
        save([1, 2], place, TRUTHS)
        arguments = {"file": str(folder / "mine.py"), "function": "f"}
        entry = "edgekit.importers.common.foreign.scoring:score"
        return list(run(Request(entry, "mine.py", place, folder, arguments, clean))["values"])

    return call


def test_its_answer_comes_back_and_its_prints_do_not(score: Score, capfd: pytest.CaptureFixture[str]) -> None:
    body = (
        "import sys\nprint('a' * 10)\ndef f(a, t):\n    print('x' * 1000000)\n    sys.stderr.write('e')\n    return a\n"
    )
    assert score(body) == [1, 2]
    assert capfd.readouterr() == ("", "")


def test_the_message_of_its_exception_is_the_message_with_its_line(score: Score) -> None:
    with pytest.raises(BadInput) as caught:
        score("def g():\n    raise ValueError('no such layer')\ndef f(a, t):\n    print('hello')\n    g()\n")
    assert caught.value.message.startswith("mine.py, line 2: f() raised ValueError: no such layer")
    assert "It printed:\n    hello" in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def f(a, t):\n    import socket; socket.create_connection(('127.0.0.1', 9))", r"use the network \(socket"),
        ("def f(a, t):\n    import socket; socket.socket()", r"use the network \(socket"),
        ("def f(a, t):\n    import os; os.fork()", r"start or signal a process \(os.fork\)"),
        ("def f(a, t):\n    import os; os.system('true')", r"start or signal a process \(os.system\)"),
        ("def f(a, t):\n    import subprocess; subprocess.run(['true'])", r"process \(subprocess.Popen\)"),
        ("def f(a, t):\n    import os; os.kill(os.getppid(), 9)", r"process \(os.kill\)"),
        ("import os\nos.posix_spawn('/bin/true', ['true'], {})\ndef f(a, t): pass", r"its import tried"),
    ],
)
def test_sockets_and_processes_are_refused_in_words(body: str, words: str, score: Score) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        score(body)
    assert "without a network" in caught.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
@pytest.mark.parametrize("call", ["socket(2, 1, 0)", "fork()", "kill(os.getppid(), 0)", "execv(b'/bin/true', None)"])
def test_the_kernel_refuses_them_to_compiled_code_too(call: str, score: Score) -> None:
    body = f"import ctypes, os\ndef f(a, t):\n    c = ctypes.CDLL(None)\n    return [c.{call}, 0]\n"
    assert score(body) == [-1, 0]


def test_threads_still_work(score: Score) -> None:
    body = "import threading\ndef f(a, t):\n    x = []\n    y = threading.Thread(target=lambda: x.extend(a))\n"
    assert score(body + "    y.start(); y.join()\n    return x\n") == [1, 2]


def test_a_loop_is_ended_and_the_message_says_how_to_allow_more(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CODE_SECONDS", "1.5")
    begin = time.monotonic()
    with pytest.raises(BadInput, match=r"f\(\) took longer than 1\.5 s") as caught:
        score("def f(a, t):\n    print('round')\n    while True: pass\n")
    assert time.monotonic() - begin < 20
    assert caught.value.hint.endswith("EDGEKIT_CODE_SECONDS=4")


@pytest.mark.parametrize("text", ["soon", "-1", "0", "inf", "nan"])
def test_a_limit_that_is_no_time_is_refused(text: str, score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CODE_SECONDS", text)
    with pytest.raises(BadInput, match="not a number of seconds"):
        score("def f(a, t): return a\n")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("os._exit(0)", "exit status 0 and gave no answer"),
        ("os._exit(3)", "exit status 3 and gave no answer"),
        ("sys.exit(3)", "raised SystemExit: 3"),
        ("ctypes.string_at(0)", "ended by SIGSEGV"),
        ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
        ("raise Silent", "raised Silent"),
    ],
)
def test_every_end_is_one_error(end: str, words: str, score: Score) -> None:
    body = "import ctypes, os, sys\nclass Silent(Exception):\n    def __str__(self): raise ValueError\n"
    with pytest.raises(BadInput, match=words):
        score(f"{body}def f(a, t):\n    {end}\n")


def test_another_current_folder_changes_nothing(score: Score) -> None:
    here = Path.cwd()
    assert score("import os\ndef f(a, t):\n    os.chdir('/')\n    return a\n") == [1, 2]
    assert Path.cwd() == here


@pytest.mark.parametrize("answer", ["'{'", "'[1]'", "'{\"result\": 3}'", "'[' * 100000"])
def test_an_answer_that_it_forges_is_hostile(answer: str, score: Score) -> None:
    forged = f"(pathlib.Path(sys.argv[1]) / 'answer.json').write_text({answer})"
    with pytest.raises(BadInput, match="gave no answer"):
        score(f"import os, pathlib, sys\ndef f(a, t):\n    {forged}\n    os._exit(0)\n")


def test_an_answer_that_is_a_link_is_not_read(score: Score, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"result": {"values": [1, 2]}}', encoding="utf-8")
    link = f"(pathlib.Path(sys.argv[1]) / 'answer.json').symlink_to({str(tmp_path / 'secret')!r})"
    with pytest.raises(BadInput, match="gave no answer"):
        score(f"import os, pathlib, sys\ndef f(a, t):\n    {link}\n    os._exit(0)\n")


def test_code_of_a_hub_sees_nothing_of_the_user(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    body = "import os, sys\ndef f(a, t):\n    mine = [n for n in os.environ if n not in ('PATH', 'LANG', 'LC_ALL')]\n"
    body += "    assert not [n for n in mine if 'secret' in os.environ[n] or 'elsewhere' in os.environ[n]], mine\n"
    body += "    assert {n for n in mine if n.startswith('HF_')} == {'HF_HUB_OFFLINE', 'HF_MODULES_CACHE'}, mine\n"
    body += "    assert os.environ['HOME'] == os.getcwd() and '/elsewhere' not in sys.path\n    return a\n"
    assert score(body, clean=True) == [1, 2]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("open(user, 'a')", "tried to write"),
        ("os.remove(user)", r"tried to change .* \(os\.remove\)"),
        ("os.rename(own, user)", r"tried to change .* \(os\.rename\)"),
        ("shutil.rmtree(os.path.dirname(user))", r"\(shutil\.rmtree\)"),
        ("pathlib.Path(user).chmod(0)", r"\(os\.chmod\)"),
    ],
)
def test_it_writes_in_its_folder_alone(line: str, words: str, clean: bool, score: Score, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("the user's", encoding="utf-8")
    body = "import os, pathlib, shutil, tempfile\ndef f(a, t):\n    own = tempfile.gettempdir() + '/mine'\n"
    body += f"    open(own, 'w').close()\n    user = {str(tmp_path / 'kept' / 'file')!r}\n    {line}\n"
    with pytest.raises(BadInput, match=words) as caught:
        score(body, clean=clean)
    assert "tempfile.gettempdir()" in caught.value.hint
    assert (tmp_path / "kept" / "file").read_text(encoding="utf-8") == "the user's"
    assert (tmp_path / "scratch" / "mine").exists()


def test_ordinary_code_copies_moves_and_removes_in_its_folder(score: Score, tmp_path: Path) -> None:
    body = "import os, shutil, tempfile, zipfile\nfrom pathlib import Path\ndef f(a, t):\n"
    body += "    beside = Path(__file__).parent\n    with tempfile.TemporaryDirectory() as name:\n"
    body += "        here = Path(name)\n        shutil.copy2(__file__, here / 'a.py')\n"
    body += "        shutil.copytree(beside, here / 'b')\n        (here / 'a.py').rename(here / 'b' / 'c.py')\n"
    body += "        os.utime(here / 'b' / 'c.py')\n        beside.mkdir(exist_ok=True)\n"
    body += "        with zipfile.ZipFile(here / 'd.zip', 'w') as z: z.write(here / 'b' / 'c.py')\n"
    body += "        (here / 'link').symlink_to(__file__)\n        shutil.move(here / 'd.zip', here / 'b')\n"
    body += "    open(os.devnull, 'w').write('x')\n    return a\n"
    assert score(body) == [1, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="named pipes")
@pytest.mark.parametrize("name", ["answer.json", "stage"])
def test_a_pipe_in_place_of_what_is_read_is_not_waited_for(name: str, score: Score) -> None:
    body = f"import os, sys\ndef f(a, t):\n    p = sys.argv[1] + '/{name}'\n"
    body += "    os.path.exists(p) and os.remove(p)\n    os.mkfifo(p)\n    os._exit(0)\n"
    with pytest.raises(BadInput):
        score(body)


def test_the_users_own_file_sees_the_users_environment(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_DATA", "7")
    assert score("import os\ndef f(a, t): return [int(os.environ['MY_DATA'])] * 2\n") == [7, 7]


def test_modules_beside_the_file_can_be_imported(score: Score, tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "beside_it.py").write_text("NUMBER = 5\n", encoding="utf-8")
    assert score("import beside_it\ndef f(a, t): return [beside_it.NUMBER] * 2\n") == [5, 5]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def f(:\n", "line 1: its import raised SyntaxError"),
        ("import not_there_at_all\n", "its import raised ModuleNotFoundError"),
        ("x = 1\n", r"has no function f\(\)"),
        ("f = 1\n", "is no function, but int"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error(body: str, words: str, score: Score) -> None:
    with pytest.raises(BadInput, match=words):
        score(body)
