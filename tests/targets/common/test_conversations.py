"""Conversations of apps, in Java and in Swift, beside Python's.

The weights are random: answers hold bytes that are no characters.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cases.chat_bundles import chat_bundle
from helpers.cases.gguf_files import CHAT_TEMPLATE, circle_file
from helpers.devices import chat, swift_chat
from helpers.devices.chat import Chat, Said, assets_of

import edgekit
from edgekit.core import Predictor
from edgekit.errors import BadInput
from edgekit.targets.common.language import settings_of
from edgekit.tasks.text_generation.conversation import Conversation

pytestmark = pytest.mark.thorough

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "large": {"type": "boolean"}},
    "required": ["name", "large"],
    "additionalProperties": False,
}

SYSTEM = "You answer in short sentences, and you never say more than you know. " * 8


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chat_bundle(tmp_path_factory.mktemp("chat"), "android")


@pytest.fixture(scope="module")
def circle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Path]:
    """Python's side, and the assets, of a model whose answers repeat themselves."""
    folder = tmp_path_factory.mktemp("circle")
    file = circle_file(folder / "toy.gguf", tokenizer__chat_template=CHAT_TEMPLATE)
    made = edgekit.export(str(file), target="android", precision="f16", out=folder / "bundle", evidence=False).path
    return edgekit.load(made, threads=1), assets_of(made, SCHEMA)


@pytest.fixture(scope="module")
def assets(bundle: Path) -> Path:
    return assets_of(bundle, SCHEMA)


@pytest.fixture(scope="module", params=[chat.compiled, swift_chat.compiled], ids=["java", "swift"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return request.param(tmp_path_factory.mktemp("peer"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def writer(bundle: Path) -> Predictor:
    return edgekit.load(bundle, threads=1)


def test_it_says_what_python_says(peer: list[str], assets: Path, writer: Predictor) -> None:
    """Greedy: the same text, in pieces of whole characters, and the same counts."""
    conversation = Conversation(writer, context=2048)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    with Chat(peer, assets, threads=1) as talk:
        for i in range(8):
            question = " ".join(str(word) for word in rng.integers(0, 999, 60))
            said = talk.ask(question, 100)
            mine = conversation.ask(question, most=100)
            assert (said.text, said.finish) == (mine.output, mine.details["finish"]), i
            assert said.text.startswith(said.pieces)
            assert (said.prompt, said.tokens) == (mine.details["prompt_tokens"], mine.details["tokens"])
            assert bool(said.left) == bool(mine.details["notes"])
        assert said.left > 0, "the context was filled"


def test_the_system_prompt_stays(peer: list[str], assets: Path, writer: Predictor) -> None:
    conversation = Conversation(writer, "Be brief.", context=2048)  # type: ignore[arg-type]
    with Chat(peer, assets, "Be brief.", threads=1) as talk:
        for question in ("one", " two\n"):
            assert talk.ask(question, 20).text == conversation.ask(question, most=20).output
    with Chat(peer, assets, "x" * 2000) as talk:
        assert "the system prompt takes 20" in talk.line()[1]


def test_a_cancellation(peer: list[str], assets: Path) -> None:
    with Chat(peer, assets, threads=1) as talk:
        assert talk.do("ask", text="hello", most=500, cancel=3) == ["cancelled"]
        said = talk.ask("hello", 500, cancel=3, inside=True)
        assert (said.finish, said.tokens) == ("cancelled", 3)
        assert talk.ask("again", 5).finish in ("length", "end"), "and it goes on"


def test_an_answer_in_a_schema(peer: list[str], assets: Path, writer: Predictor) -> None:
    """Letter by letter what Python's grammar gives; and the next answer is free again."""
    with Chat(peer, assets, threads=1) as talk:
        for question in ("one", "two", "three"):
            talk.do("clear")
            said = talk.ask(question, 200, schema="place")
            mine = writer.predict([{"role": "user", "content": question}], most=200, context=2048, schema=SCHEMA)
            assert (said.finish, said.text) == ("end", mine.output)
            assert json.loads(said.text).keys() == {"name", "large"}
        talk.do("clear")
        free = writer.predict([{"role": "user", "content": "one"}], most=20, context=2048).output
        assert talk.ask("one", 20).text == free
        assert "there is no schema" in talk.do("ask", text="one", most=20, schema="other")[1]


def test_keys_and_values_in_eight_bits(peer: list[str], bundle: Path, assets: Path, writer: Predictor) -> None:
    small = bundle.with_name("assets-q8_0")
    small = small if small.exists() else assets_of(bundle, SCHEMA, "q8_0")
    with Chat(peer, small, threads=1) as talk:
        for question in ("one", "two"):
            talk.do("clear")
            mine = writer.predict([{"role": "user", "content": question}], most=60, context=2048, cache="q8_0")
            assert talk.ask(question, 60).text == mine.output
    told = [json.loads((folder / "chat.json").read_text()) for folder in (assets, small)]
    assert [facts["cache"] for facts in told] == ["f16", "q8_0"]
    assert told[0]["memory"] > told[1]["memory"]


def test_a_type_of_keys_and_values_that_there_is_not() -> None:
    with pytest.raises(BadInput, match="'q4' is no type"):
        settings_of({"cache": "q4"})


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("2.json", "{}", "cannot name a schema"),
        ("a.json", "{", "is not JSON"),
        ("a.json", '{"type": "number", "minimum": 3}', r"a\.json: "),
        ("a.txt", "{}", "no folder"),
    ],
)
def test_schemas_that_no_app_gets(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=why):
        settings_of({"schemas": str(tmp_path)})


def test_what_cannot_be(peer: list[str], assets: Path, tmp_path: Path) -> None:
    with Chat(peer, assets, threads=1) as talk:
        assert talk.do("test")[0] == "passed"
        assert "MB are free" in talk.do("memory", free=1000)[1]
        assert talk.do("memory", free=1 << 40)[0] == "enough"
        assert "empty" in talk.do("ask", text="  ", most=9)[1]
        assert "context holds" in talk.do("ask", text="x" * 3000, most=9)[1]
    damaged = shutil.copytree(assets, tmp_path / "damaged")
    (damaged / "network.gguf").write_bytes(b"GGUF")
    with Chat(peer, damaged) as talk:
        assert talk.line()[0] == "error"
    wrong = shutil.copytree(assets, tmp_path / "wrong")
    description = json.loads((wrong / "chat.json").read_text())
    description["golden"]["answer"] = "\x01" + description["golden"]["answer"]
    (wrong / "chat.json").write_text(json.dumps(description))
    with Chat(peer, wrong, threads=1) as talk:
        assert talk.do("test")[0] == "failed"


def test_a_system_prompt_is_computed_once(peer: list[str], assets: Path, writer: Predictor, tmp_path: Path) -> None:
    """The first process keeps what it computed, the second reads it: the same answer, and so many tokens fewer."""
    first = {"role": "system", "content": SYSTEM}
    row, other = (
        writer.prompt_tokens([first, {"role": "user", "content": text}])  # type: ignore[attr-defined]
        for text in ("hello", "a")
    )
    beginning = next(i for i, token in enumerate(other) if row[i] != token)
    said = []
    for folder in (None, tmp_path / "kept", tmp_path / "kept"):
        with Chat(peer, assets, SYSTEM, 1, folder) as talk:
            said.append([talk.ask("hello", 20), talk.ask("and then?", 20)])
            talk.do("clear")
            said[-1].append(talk.ask("anew", 20))
    assert [[turn.text for turn in turns] for turns in said] == 3 * [[turn.text for turn in said[0]]]
    assert [turns[0].computed for turns in said] == [len(row) + 20] * 2 + [len(row) + 20 - beginning]
    assert [turns[0].passes for turns in said] == [22, 22, 21]
    assert said[0][1:] == said[1][1:] == said[2][1:], "later turns have it in the cache"
    assert len(list((tmp_path / "kept").iterdir())) == 1


FULL = 1 << 60
DAMAGES = {
    "cut": lambda kept, other: kept[:-100],
    "empty": lambda kept, other: b"",
    "longer": lambda kept, other: kept + b"0",
    "another format": lambda kept, other: b"GGUF" + kept[4:],
    "another prompt's": lambda kept, other: other,
    "a bit in the state": lambda kept, other: kept[:-1000] + bytes([kept[-1000] ^ 1]) + kept[-999:],
    "a bit in the key": lambda kept, other: kept[:30] + bytes([kept[30] ^ 1]) + kept[31:],
    "a key without end": lambda kept, other: kept[:8] + struct.pack("=Q", FULL) + kept[16:],
    "a state without end": lambda kept, other: kept[:16] + struct.pack("=Q", FULL) + kept[24:],
}


def test_a_damaged_file_is_written_anew(peer: list[str], assets: Path, tmp_path: Path) -> None:
    def computed(system: str, folder: Path) -> Said:
        with Chat(peer, assets, system, 1, folder) as talk:
            return talk.ask("hello", 10)

    first, _ = computed(SYSTEM, tmp_path / "kept"), computed(SYSTEM[1:], tmp_path / "other")
    (place,), (other,) = ((tmp_path / name).iterdir() for name in ("kept", "other"))
    kept = place.read_bytes()
    for name, damage in DAMAGES.items():
        place.write_bytes(damage(kept, other.read_bytes()))
        assert computed(SYSTEM, place.parent) == first, name
        assert place.read_bytes() == kept, name
    again = computed(SYSTEM, place.parent)
    assert again.text == first.text and again.computed < first.computed - len(SYSTEM)
    blocked = tmp_path / "a file"
    blocked.write_bytes(b"")
    assert computed(SYSTEM, blocked) == first, "where no folder can be made, all is computed"


def test_files_of_prompts_are_few_and_apart(peer: list[str], bundle: Path, assets: Path, tmp_path: Path) -> None:
    """Each of its settings and model; eight that were used last; of an app's other files none goes."""
    (tmp_path / "note.txt").write_text("the app's")
    for i in range(9):
        old = tmp_path / f"edgekit-{i:016x}"
        old.write_bytes(b"old")
        os.utime(old, (i, i))
    small = bundle.with_name("assets-q8_0")
    small = small if small.exists() else assets_of(bundle, SCHEMA, "q8_0")
    other = Path(shutil.copytree(assets, tmp_path.with_name(f"{tmp_path.name}-other")))
    description = json.loads((other / "chat.json").read_text())
    (other / "chat.json").write_text(json.dumps(description | {"identity": "other weights"}))
    for folder in (assets, small, other):
        with Chat(peer, folder, "Be brief.", 1, tmp_path) as talk:
            assert (said := talk.ask("hello", 4)).computed == said.prompt + said.tokens
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"edgekit-{i:016x}" for i in range(4, 9)} | {"note.txt"} < names
    assert len(names) == 9


def anew(talk: Chat, question: str, **how: Any) -> Said:
    talk.do("clear")
    return talk.ask(question, 80, **how)


def test_look_up_gives_the_same_tokens(peer: list[str], assets: Path, writer: Predictor) -> None:
    """Where what is tried is mostly taken back; the next turn goes on with what is left in the cache."""
    with Chat(peer, assets, threads=1) as talk:
        for question in ("one two one two one two", "three", "four five " * 20):
            plain, tried = anew(talk, question), anew(talk, question, look_up=True)
            assert (tried.text, tried.finish, tried.tokens) == (plain.text, plain.finish, plain.tokens)
            assert tried.passes <= plain.passes == 1 + plain.tokens
        after = talk.ask("and?", 40, look_up=True)
        anew(talk, question)
        assert after.text == talk.ask("and?", 40).text


def test_look_up_takes_fewer_passes(peer: list[str], circle: tuple[Predictor, Path]) -> None:
    """As many as Python's, and one for the last token, which stays in the cache. Of the guesses all, some or none are
    kept."""
    writer, assets = circle
    with Chat(peer, assets, threads=1) as talk:
        for question in ("x", "abcdefghijklmnopqrstabc", "abcd-efgh ijk?lmnop", "ab ab bc bc cd cd"):
            plain, tried = anew(talk, question), anew(talk, question, look_up=True)
            assert plain.text == tried.text == "abcdefghijklmnopqrst" * 4
            asked = [{"role": "user", "content": question}]
            assert writer.predict(asked, most=80, context=2048, look_up=True).output == plain.text
            passes = writer.network.drafts.passes  # type: ignore[attr-defined]
            assert (plain.passes, tried.passes) == (81, 2 + passes), question
            assert passes < 40


def test_look_up_is_for_the_likeliest_free_tokens(peer: list[str], assets: Path) -> None:
    said: list[list[Said]] = []
    how: dict[str, Any]
    for how in ({}, {"look_up": True}):
        with Chat(peer, assets, threads=1) as talk:
            said.append([talk.ask("one two one two", 200, schema="place", **how)])
            talk.do("sample")
            said[-1].append(anew(talk, "one two one two", **how))
    assert said[0] == said[1]
    assert all(turn.passes == 1 + turn.tokens for turn in said[0])
