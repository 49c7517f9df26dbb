"""Language models in a browser: a conversation beside Python's, the page, what is refused, what is measured."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cases.chat_bundles import require_llama
from helpers.cases.gguf_files import CHAT_TEMPLATE, VOCABULARY, llama_metadata, llama_tensors, write
from helpers.pages.browser import Browser
from helpers.pages.packages import Site, chromium, serving

import edgekit
from edgekit.core import Predictor
from edgekit.errors import DeviceFailed, OverBudget, ParityFailed
from edgekit.registry import find
from edgekit.targets.web import npm
from edgekit.targets.web.chromium import language
from edgekit.tasks.text_generation.conversation import Conversation

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "large": {"type": "boolean"}},
    "required": ["name", "large"],
    "additionalProperties": False,
}
CONTEXT = 2048


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights that say nothing but ASCII; in fp32, for a tie that rounding decides would end in other words."""
    require_llama()
    folder = tmp_path_factory.mktemp("chat")
    tensors = {name: array.astype(np.float32) for name, array in llama_tensors().items()}
    printable = range(3 + 32, 3 + 127)
    tensors["output.weight"][[token for token in range(VOCABULARY) if token not in printable]] = 0
    (folder / "toy.gguf").write_bytes(write(llama_metadata(tokenizer__chat_template=CHAT_TEMPLATE), tensors))
    out = folder / "bundle"
    return edgekit.export(str(folder / "toy.gguf"), "web", precision="f32", out=out, evidence=False).path


@pytest.fixture(scope="module")
def site(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page in `page`, and the package of npm in `chat`; its model was cut into shards."""
    out, schemas = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("schemas")
    (schemas / "place.json").write_text(json.dumps(SCHEMA))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(npm, "_SHARD", 1 << 20)
        edgekit.package(bundle, "npm", out=out / "chat", options={"schemas": str(schemas)})
        edgekit.package(bundle, "page", out=out / "page")
    assert len(list((out / "chat" / "model").glob("network.gguf.*"))) > 2
    (out / "index.html").write_text('<!doctype html><link rel="icon" href="data:,"><title>test</title>')
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from chromium(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def opened(site: Path, browser: Browser) -> Iterator[Browser]:
    """A page for the first tests, with the conversation in `chat`, and `say`, which collects an answer."""
    with serving(site) as running:
        begin(browser, running)
        yield browser


def begin(browser: Browser, running: Site, package: str = "chat", load: str = "") -> Any:
    """On one thread: what else runs here must not wait for two."""
    browser.open(running.address)
    return browser.evaluate(f"""(async () => {{
      const {{ Chat }} = await import("/{package}/index.js");
      globalThis.chat = await Chat.load({{ threads: 1, {load} }});
      globalThis.say = async (text, options, text_ = "", begin = performance.now(), first) => {{
        for await (const piece of chat.send(text, options)) {{
          first ??= (performance.now() - begin) / 1000;
          text_ += piece;
        }}
        return {{ ...chat.last, first, text: text_ }};
      }};
    }})().then(() => null, ({{ name, message }}) => [name, message])""")


def say(browser: Browser, text: str, **options: Any) -> Any:
    return browser.evaluate(f"say({json.dumps(text)}, {json.dumps(options)})")


def test_it_says_what_python_says(opened: Browser, bundle: Path) -> None:
    """Greedy, until the context is full: the same text and the same counts; the cache holds the turns before."""
    mine = Conversation(edgekit.load(bundle, threads=1), context=CONTEXT)  # type: ignore[arg-type]
    for i in range(6):
        question = f"{i} " * 150
        here, there = mine.ask(question, most=60), say(opened, question, most=60)
        assert (there["text"], there["finish"]) == (here.output, here.details["finish"]), i
        assert (there["promptTokens"], there["tokens"]) == (here.details["prompt_tokens"], here.details["tokens"])
        assert bool(there["leftOut"]) == bool(here.details["notes"])
        assert there["leftOut"] or there["computed"] < 450, "earlier turns are not computed again"
    assert there["leftOut"] > 0, "the context was filled"
    assert opened.evaluate("chat.selfTest()")["errors"] == {"network": 0}


def test_an_answer_in_a_schema(opened: Browser, bundle: Path) -> None:
    writer: Predictor = edgekit.load(bundle, threads=1)
    mine = writer.predict([{"role": "user", "content": "one"}], most=200, context=CONTEXT, schema=SCHEMA)
    opened.evaluate("chat.clear()")
    said = say(opened, "one", most=200, schema="place")
    assert (said["finish"], said["text"]) == ("end", mine.output)
    assert json.loads(said["text"]).keys() == {"name", "large"}
    for sampling in ({"temperature": 0.8, "seed": 7}, {"temperature": 0.0}):
        opened.evaluate(f"chat.clear().then(() => chat.sample({json.dumps(sampling)}))")
        free = writer.predict([{"role": "user", "content": "one"}], most=20, context=CONTEXT, **sampling)
        assert say(opened, "one", most=20)["text"] == free.output


def test_two_conversations_share_a_worker(opened: Browser) -> None:
    told = opened.evaluate("""(async () => {
      const { Chat } = await import("/chat/index.js");
      await chat.clear();
      const alone = await say("one", { most: 12 });
      const other = await Chat.load({ system: "Be brief.", threads: 2 });
      const begun = other.send("two")[Symbol.asyncIterator]();
      await begun.next();
      await chat.clear();
      const [again] = await Promise.all([say("one", { most: 12 }), begun.next()]);
      const hosts = [...globalThis[Symbol.for("edgekit.workers.1")].values()].map((host) => host.models);
      await begun.return();
      await other.dispose();
      const threads = [chat.threads, other.threads];
      return [again.text === alone.text, hosts, threads, (await say("more", { most: 3 })).tokens];
    })()""")
    assert told[:2] == [True, [2]] and told[2] in ([1, 2], [1, 1]) and told[3] == 3


def test_answers_end_where_they_are_told_to(opened: Browser) -> None:
    told = opened.evaluate("""(async () => {
      const told = [], name = (error) => told.push(error.name), stop = new AbortController();
      const given = { signal: stop.signal, progress: (done) => done === 3 && stop.abort() };
      const cancelled = say("hello", given).catch(name);
      const waiting = say("again", { most: 5 });
      await cancelled;
      told.push((await waiting).tokens);
      for await (const piece of chat.send("a third")) break;
      await say(" ").catch(name);
      await say("x".repeat(3000)).catch(name);
      await say("one", { schema: "other" }).catch(name);
      told.push((await say("on", { most: 4 })).promptTokens > 30);
      const writing = say("long").catch(name);
      await new Promise((done) => setTimeout(done, 200));
      await chat.dispose();
      await writing;
      await say("late").catch(name);
      return told;
    })()""")
    assert told == ["AbortError", 5, "RangeError", "RangeError", "RangeError", True, "Disposed", "Disposed"]


def test_what_cannot_be_opened(site: Path, browser: Browser, tmp_path: Path) -> None:
    """A system prompt without room, an architecture that nobody knows, a browser without JSPI."""
    shutil.copytree(site / "chat", tmp_path / "other")
    (tmp_path / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    shard, listed = tmp_path / "other" / "model" / "network.gguf.0", tmp_path / "other" / "package.js"
    before = shard.read_bytes()
    shard.write_bytes(re.sub(rb"(general.architecture.{12})llama", rb"\1other", before, flags=re.DOTALL))
    digests = [hashlib.sha256(content).hexdigest() for content in (before, shard.read_bytes())]
    listed.write_text(listed.read_text().replace(*digests))
    with serving(tmp_path) as running:
        name, message = begin(browser, running, "other")
        assert name == "Unsupported" and "unknown model architecture: 'other'" in message
        worker = tmp_path / "other" / "worker.js"
        worker.write_text("delete WebAssembly.Suspending;\n" + worker.read_text())
        assert "no JSPI of WebAssembly" in begin(browser, running, "other")[1]
    with serving(site) as running:
        assert "the system prompt takes" in begin(browser, running, load='system: "x".repeat(2000)')[1]


def test_a_model_that_is_larger_than_a_visit() -> None:
    with pytest.raises(OverBudget, match="download 106 MB of 100 MB"):
        edgekit.export("smollm2-135m", "web", precision="q4_k_m")


def test_the_page(site: Path, browser: Browser) -> None:
    """Its strict policy is kept; the answer comes piece by piece, and can be stopped."""
    until = """(condition) => new Promise((done, fail) => {
      const look = (left) => {
        const value = condition();
        value ? done(value) : left ? setTimeout(look, 10, left - 1) : fail(document.body.innerText);
      };
      look(2000);
    })"""
    status = 'document.getElementById("status").textContent'
    with serving(site, isolated=False) as running:
        browser.open(f"{running.address}page/")
        browser.evaluate(f'({until})(() => {status} === "Done")')
        browser.evaluate('document.getElementById("text").value = "hello"; document.getElementById("run").click()')
        browser.evaluate(f'({until})(() => document.getElementById("shown").innerText.length > 60)')
        browser.evaluate('document.getElementById("stop").click()')
        browser.evaluate(f'({until})(() => {status} === "Stopped")')
        browser.evaluate('document.getElementById("text").value = "again"; document.getElementById("run").click()')
        shown = browser.evaluate(f'({until})(() => {status} === "Done" && document.getElementById("shown").innerText)')
        assert shown.count("you") == 2 and len(re.findall(r"the first token after .* s, .* tokens/s", shown)) == 2
        assert browser.told("Runtime.exceptionThrown") + browser.told("Log.entryAdded") == []


def test_a_browser_answers_as_this_machine_does_and_is_measured(browser: Browser, bundle: Path) -> None:
    report = edgekit.benchmark(bundle, device="chromium", threads=(1,), processes=1, loops=1)
    values = {item.name: item.values[0][0] for item in report.measurements}
    assert values["part.network.same_next_token"] == 1 and values["part.network.away_from_this_machine"] < 0.01
    assert values["tg128"] > 1 and values["pp512"] > 1 and values["first_token"] > 0
    assert 0 < values["load.import"] < values["load.cold"] and values["rss.peak"] > 2e7


def test_other_answers_are_refused() -> None:
    """Those of here pass; a tie that rounding decides, too; what is less likely by more than a logit does not."""
    logits = np.random.default_rng(1).standard_normal((20, 50)).astype(np.float32)
    chosen, likely = logits.argmax(-1), logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    there = [[int(token), float(row[token])] for token, row in zip(chosen, likely, strict=True)]
    manifest, calls = {"parts": [{"name": "network"}]}, {"network": [({}, {"logits": logits})]}
    report = language.check(Path(), calls, manifest, {"next": [None, *there[1:]], "golden": 0})["network"]
    assert report["here"] < 1e-6 and report["greedy"] == {"positions": 19, "same": 19}
    tied = {"next": [[int(np.argsort(logits[0])[-2]), there[0][1]], *there[1:]], "golden": 0.9}
    assert language.check(Path(), calls, manifest, tied)["network"]["greedy"]["first"] == 0
    least = [int(logits[0].argmin()), there[0][1]]
    for other in ({"next": [least, *there[1:]], "golden": 0}, {"next": there, "golden": 1.1}):
        with pytest.raises(ParityFailed, match="goes on with other tokens in the browser"):
            language.check(Path(), calls, manifest, other)
    with pytest.raises(DeviceFailed, match="after 1 of 20 beginnings"):
        language.check(Path(), calls, manifest, {"next": [*there[:1], *[None] * 19], "golden": 0})


def test_every_runtime_of_the_target_has_packages_and_measurements() -> None:
    formats = {find("runtimes", name).formats[0] for name in find("targets", "web").runtimes}
    assert formats == npm.RUNTIMES.keys()


@pytest.mark.slow
@pytest.mark.real
def test_real_weights(browser: Browser, tmp_path: Path) -> None:
    """SmolLM2: what Python says, token by token, and a second turn whose first token comes soon."""
    bundle = edgekit.export("smollm2-135m", "web", out=tmp_path / "bundle", evidence=False).path
    edgekit.package(bundle, "npm", out=tmp_path / "site" / "chat")
    (tmp_path / "site" / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    device = edgekit.verify(bundle)["device"]["parts"]["network"]["browser"]
    assert device["greedy"]["same"] >= 0.8 * device["greedy"]["positions"] and device["golden"] < 1
    mine = Conversation(edgekit.load(bundle, threads=2), context=4096)  # type: ignore[arg-type]
    first, second = "What is the capital of France? " + "Tell me about its museums. " * 20, "And of Spain?"
    with serving(tmp_path / "site") as running:
        assert begin(browser, running, load="selfTest: false") is None
        one, other = say(browser, first, most=24), say(browser, second, most=24)
    assert [one["text"], other["text"]] == [mine.ask(first, most=24).output, mine.ask(second, most=24).output]
    new = [answer["computed"] - answer["tokens"] for answer in (one, other)]
    assert new[1] <= 0.3 * new[0] and one["first"] > other["first"] > 0, "the turns before were kept"
