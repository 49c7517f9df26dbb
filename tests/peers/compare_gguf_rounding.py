"""KL divergence of our rounding beside llama.cpp's with an importance matrix: same weights, text, bytes and runtime.

    python tests/peers/compare_gguf_rounding.py --text valid.txt [--model smollm2-135m] [--precisions q4_k_m iq4_xs]

The hidden channels are permuted at random first, and so are the channels inside of every layer and of every head's
values. The function is the same, but no grid is left of types that the published weights were in. The first half of the
text calibrates both; the first chunks of the second half are judged. Exit status 1: a bar of `BARS` is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.processors import usable_processors
from edgekit.exporters.gguf.quantize import quantize
from edgekit.exporters.gguf.rounding import inputs
from edgekit.exporters.gguf.rounding.files import round_file
from edgekit.formats import gguf
from edgekit.numerics.sums import same_sums
from edgekit.registry import find
from edgekit.runtimes.llama_cpp import RUNTIME
from edgekit.runtimes.llama_cpp.perplexity import TextScore
from edgekit.sources.fetching import fetch

#: The most that ours may have of llama.cpp's divergence.
BARS = {"q4_k_m": 0.5, "iq4_xs": 0.6}
_KINDS = {"f32": np.float32, "f16": np.float16}


def permute(source: Path, out: Path, seed: int = 7) -> None:
    """Write the model of `source` (llama, or another with the same matrices) in 16 bits, its channels permuted."""
    quantize(source, out, "f16")
    header = gguf.read(out)
    orders = Orders(header, seed)
    content = np.memmap(out, np.uint8, "r+")
    for tensor in header.tensors:
        place = content[tensor.offset : tensor.offset + tensor.size].view(_KINDS[tensor.type])
        values = place.reshape(tensor.shape[::-1])
        values[...] = orders.permuted(tensor.name, values.copy())
    content.flush()


class Orders:
    """Random orders of a model's channels: of the residual stream, of every MLP, of the values of every head."""

    def __init__(self, header: gguf.Gguf, seed: int) -> None:
        def fact(key: str) -> int:
            return int(header.metadata[f"{header.architecture}.{key}"])

        rng, width, heads = np.random.default_rng(seed), fact("embedding_length"), fact("attention.head_count")
        groups, layers = fact("attention.head_count_kv"), fact("block_count")
        head = width // heads
        self.stream = rng.permutation(width)
        self.inner = [rng.permutation(fact("feed_forward_length")) for _ in range(layers)]
        values = [[rng.permutation(head) for _ in range(groups)] for _ in range(layers)]
        self.values = [np.concatenate([i * head + own for i, own in enumerate(layer)]) for layer in values]
        self.heads = [np.concatenate([i * head + layer[i * groups // heads] for i in range(heads)]) for layer in values]

    def permuted(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """The tensor `name`, [rows, columns] or [channels]."""
        layer = int(name.split(".")[1]) if name.startswith("blk.") else 0
        stem, kind = name.split(".")[-2:]
        if stem in ("attn_norm", "ffn_norm", "output_norm"):
            return values[self.stream]
        if stem == "attn_v":
            values = values[self.values[layer]]
        if stem in ("ffn_gate", "ffn_up"):
            values = values[self.inner[layer]]
        if kind == "bias":
            return values
        if stem == "attn_output":
            return values[self.stream][:, self.heads[layer]]
        if stem == "ffn_down":
            return values[self.stream][:, self.inner[layer]]
        if stem not in ("token_embd", "output", "attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"):
            raise SystemExit(f"the tensor {name} is of no architecture that this script can permute")
        return values[:, self.stream]


def tell(what: str, done: int, total: int) -> None:
    """Progress, to the error output."""
    print(f"\r{what} {done}/{total}   ", end="", file=sys.stderr, flush=True)


class Comparison:
    """The permuted model in `work`, what calibrates it, and its answers on the judged half."""

    def __init__(self, source: Path, text: str, chunks: int, judged: int, work: Path) -> None:
        self.work, self.threads, self.judged = work, usable_processors(), judged
        self.source, self.half = work / "permuted.gguf", text[len(text) // 2 :]
        if not self.source.is_file():
            permute(source, self.source)
        runner = RUNTIME.load(self.source, self.threads)
        self.tokens = [np.array(runner.tokenize(text[: len(text) // 2]), np.int32)]
        matrices = [tensor for tensor in gguf.read(self.source).tensors if len(tensor.shape) == 2]
        folder = work / f"hessians-{chunks}"
        self.hessians = inputs.record(self.source, matrices, self.tokens, self.threads, chunks, folder, tell)
        self.base = work / "base"
        runner.score(self.half, chunks=judged, save_base=self.base, progress=tell)

    def both(self, precision: str) -> dict[str, tuple[int, TextScore]]:
        """(bytes, score) of llama.cpp's file and of ours."""
        plain, own = self.work / f"plain-{precision}.gguf", self.work / f"own-{precision}.gguf"
        quantize(self.source, plain, precision, self.hessians.importance())
        with same_sums():  # as an export does: matrices go to threads, and BLAS would ask for as many in each
            round_file(self.source, own, precision, self.hessians, self.tokens, self.threads, tell)
        return {
            name: (file.stat().st_size, self.score(file)) for name, file in (("llama.cpp", plain), ("edgekit", own))
        }

    def score(self, file: Path) -> TextScore:
        """Of a file, beside the permuted model."""
        runner = RUNTIME.load(file, self.threads)
        return runner.score(self.half, chunks=self.judged, base=self.base, progress=tell)


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m", help="a declared language model, or a .gguf")
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--precisions", nargs="+", default=list(BARS))
    parser.add_argument("--calibration-chunks", type=int, default=24)
    parser.add_argument("--chunks", type=int, default=16)
    parser.add_argument("--work", type=Path, help="folder that keeps the files; else they are removed")
    asked = parser.parse_args()
    source = Path(asked.model)
    if source.suffix != ".gguf":
        folder, declared = fetch(find("models", asked.model).weights.sources)
        source = next(folder / file.name for file in declared.files if file.name.endswith(".gguf"))
    missed = False
    with tempfile.TemporaryDirectory() as place:
        work = asked.work or Path(place)
        work.mkdir(parents=True, exist_ok=True)
        text = asked.text.read_text(encoding="utf-8")
        comparison = Comparison(source, text, asked.calibration_chunks, asked.chunks, work)
        for precision in asked.precisions:
            found = comparison.both(precision)
            for name, (size, score) in found.items():
                print(
                    f"{precision} {name}: {size / 1e6:.1f} MB, KL divergence {score.mean_kld:.4f} "
                    f"(± {score.kld.std() / len(score.kld) ** 0.5:.4f}), same token {score.same_top.mean():.1%}, "
                    f"perplexity {score.perplexity:.2f}"
                )
            (large, theirs), (small, ours) = found["llama.cpp"], found["edgekit"]
            ratio = ours.mean_kld / theirs.mean_kld
            print(f"{precision}: ratio {ratio:.2f}, bytes {small - large:+d}", flush=True)
            missed |= ratio > BARS.get(precision, 1.0) or small > large
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
