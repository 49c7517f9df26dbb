"""A package for browsers beside transformers.js on the same weights, in Chromium: times in turns, bytes, memory.

    npm install --ignore-scripts --prefix build/web-peers @huggingface/transformers@4.3.2
    .venv-optimum/bin/python tests/peers/make_transformers_js.py HF build/web-peers/models TASK
    python tests/peers/compare_web.py PACKAGE build/web-peers MODEL FILE... [--threads 1] [--rounds 3] [--json OUT]

PACKAGE is what `edgekit package BUNDLE --as npm` wrote, or the folder `lib` of a page; MODEL a folder of
build/web-peers/models (make_hf.py writes HF); a FILE a sound, or a text with a sentence a line. Every contestant has a
browser of its own in each round, which ends before the next begins; their order turns. A first answer is not timed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from page_visits import memory_of

from edgekit.common.serving import server
from edgekit.targets.web.chromium.browser import launch, processes
from edgekit.tasks.common.audio import open_audio

#: Samples of a sound, at most: ten minutes.
MOST = 600 * 16000
CONTESTANTS = ("edgekit", "transformers.js q8", "transformers.js fp32")
#: What a page's modules import, by the names that transformers.js uses.
IMPORTS = {
    "@huggingface/transformers": "/theirs/@huggingface/transformers/dist/transformers.web.min.js",
    "onnxruntime-web/webgpu": "/theirs/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs",
    "onnxruntime-common": "/theirs/onnxruntime-common/dist/esm/index.js",
}
LOAD = {
    "edgekit": """async ({ threads }) => {
        const model = await (await import("/ours/index.js"))[KIND].load({ threads, selfTest: false });
        globalThis.answer = KIND === "Transcriber" ? async (input) => (await model.transcribe(input)).text
            : async (input) => Array.from(await model.embed(input));
    }""",
    "transformers.js": """async ({ threads, dtype, model }) => {
        const { env, pipeline } = await import("@huggingface/transformers");
        Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: "/models/" });
        Object.assign(env.backends.onnx.wasm, { numThreads: threads, wasmPaths: "/theirs/onnxruntime-web/dist/" });
        const task = KIND === "Transcriber" ? "automatic-speech-recognition" : "feature-extraction";
        const pipe = await pipeline(task, model, { dtype, device: "wasm" });
        globalThis.answer = KIND === "Transcriber" ? async (input) => (await pipe(input)).text
            : async (input) => Array.from((await pipe(input, { pooling: "mean", normalize: true })).data);
    }""",
}
ASK = """async (name) => {
    const body = await (await fetch(`/inputs/${name}`)).arrayBuffer();
    const input = KIND === "Transcriber" ? new Float32Array(body) : new TextDecoder().decode(body);
    const begin = performance.now();
    const said = await globalThis.answer(input);
    return [performance.now() - begin, said];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("theirs", type=Path)
    parser.add_argument("model")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as place:
        names = lay_out(options, Path(place))
        for number in range(options.rounds):
            turn = number % len(CONTESTANTS)
            for name in CONTESTANTS[turn:] + CONTESTANTS[:turn]:
                found[name].append(visit(Path(place), name, names, options))
    print(f"{options.threads} thread(s), {options.rounds} rounds, {len(names)} inputs")
    for name, rounds in found.items():
        seconds = [sum(one["seconds"]) for one in rounds]
        shares = [ours / theirs for ours, theirs in zip(map(total, found["edgekit"]), map(total, rounds), strict=True)]
        peak, megabytes = (statistics.median(one[what] for one in rounds) / 1e6 for what in ("peak", "bytes"))
        load = statistics.median(one["load"] for one in rounds)
        spread = f"({min(seconds):.2f} to {max(seconds):.2f})"
        print(f"{name:22} {statistics.median(seconds):7.2f} s {spread}, load {load:.2f} s, {peak:.0f} MB of memory,")
        print(f"{'':22} {megabytes:.1f} MB fetched; edgekit's time is ", end="")
        print(f"{statistics.median(shares):.2f} of it ({min(shares):.2f} to {max(shares):.2f})")
        if isinstance(rounds[0]["answers"][0], str):
            for said in rounds[0]["answers"]:
                print(f"{'':22} {said.strip()[:100]!r}")
        else:
            print(f"{'':22} least cosine with fp32's vectors: {least_cosine(rounds, found[CONTESTANTS[-1]]):.4f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def total(round_: dict[str, Any]) -> float:
    return float(sum(round_["seconds"]))


def least_cosine(rounds: list[dict[str, Any]], exact: list[dict[str, Any]]) -> float:
    """Of all answers of the first rounds, vectors of length 1."""
    pairs = zip(rounds[0]["answers"], exact[0]["answers"], strict=True)
    return min(sum(a * b for a, b in zip(one, other, strict=True)) for one, other in pairs)


def lay_out(options: argparse.Namespace, place: Path) -> list[str]:
    """A folder for the server: page, both contestants, inputs. Returns the names of the inputs."""
    shutil.copytree(options.package, place / "ours")
    for wanted in ("@huggingface", "onnxruntime-web", "onnxruntime-common"):
        shutil.copytree(options.theirs / "node_modules" / wanted, place / "theirs" / wanted)
    shutil.copytree(options.theirs / "models" / options.model, place / "models" / options.model)
    imports = json.dumps({"imports": IMPORTS})
    page = f'<!doctype html><title>peers</title><script type="importmap">{imports}</script>'
    (place / "index.html").write_text(page, encoding="utf-8")
    (place / "inputs").mkdir()
    contents = [
        content for file in options.files
        for content in (
            map(str.encode, file.read_text(encoding="utf-8").splitlines()) if file.suffix == ".txt"
            else [open_audio(file, 16000).window(0, MOST).tobytes()]
        )
    ]  # fmt: skip
    for number, content in enumerate(contents):
        (place / "inputs" / str(number)).write_bytes(content)
    options.kind = "SentenceEncoder" if options.files[0].suffix == ".txt" else "Transcriber"
    return [str(number) for number in range(len(contents))]


def visit(place: Path, name: str, inputs: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """One contestant in a fresh browser: seconds of every answer, of opening, bytes fetched, peak of its process."""
    contestant, _, dtype = name.partition(" ")
    asked = {"threads": options.threads, "dtype": dtype, "model": options.model}
    fetched = [0]

    def count(answer: Any) -> None:
        fetched[0] += int(answer.headers.get("content-length", 0)) if "/inputs/" not in answer.url else 0

    with server(place, isolated=options.threads > 1) as running, launch(limit=1800) as browser:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        context = browser.new_context()
        context.on("response", count)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{running.server_address[1]}/index.html")
        begin = time.perf_counter()
        page.evaluate(LOAD[contestant].replace("KIND", json.dumps(options.kind)), asked)
        load, ask = time.perf_counter() - begin, ASK.replace("KIND", json.dumps(options.kind))
        page.evaluate(ask, inputs[0])
        said = [page.evaluate(ask, one) for one in inputs]
        peak = max(memory_of(process, "VmHWM") for process in processes(browser, "renderer"))
        running.shutdown()
    seconds, answers = [one[0] / 1000 for one in said], [one[1] for one in said]
    return {"seconds": seconds, "answers": answers, "load": load, "bytes": fetched[0], "peak": peak}


if __name__ == "__main__":
    main()
