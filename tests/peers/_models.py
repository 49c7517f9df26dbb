"""The same weights in the form that each tool reads, made once and kept in the cache."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import make_ggml
import make_hf
from _turns import Entry

import edgekit
from edgekit.registry import find
from edgekit.sources.fetching import fetch

ROOT = Path(__file__).parents[2]
INSTALL = "make peers, or: python3 -m venv .venv-peers && .venv-peers/bin/pip install -r tests/peers/requirements.txt"


class Models:
    """Prepares on demand.

    Args:
        peers, optimum: interpreters of the two foreign environments. python: ours.
        bundle: an int8 bundle to use in place of one that is made here.
    """

    def __init__(self, peers: Path, optimum: Path, python: Path, bundle: Path | None = None) -> None:
        self._peers, self._optimum, self._python, self._bundle = peers, optimum, python, bundle
        self.weights, source = fetch(find("models", "whisper-base").weights.sources)
        if not (self.weights / "model.bin").is_file():
            raise SystemExit(f"the comparison needs CTranslate2 weights, which {source.uri} does not hold")
        # The name of the weights' folder is the key of its content: other weights get other models.
        self.work = self.weights.parents[1] / "peers" / self.weights.name
        self.work.mkdir(parents=True, exist_ok=True)

    def bundle(self, precision: str) -> Path:
        """A bundle of ours; an earlier one is reused where nothing changed that went into it."""
        if precision == "int8" and self._bundle:
            return self._bundle
        out = self.work / f"edgekit-{precision}"
        return edgekit.export("whisper-base", "laptop", precision=precision, out=out, fallback=False).path

    def entries(self) -> list[Entry]:
        """Everyone, those included who cannot take part."""
        makers: dict[str, tuple[Path, Callable[[], Path]]] = {
            "edgekit": (self._python, lambda: self.bundle("int8")),
            "faster-whisper-int8": (self._peers, self._ctranslate2),
            "faster-whisper-float32": (self._peers, self._ctranslate2),
            "pywhispercpp-q8_0": (self._peers, self._ggml),
            "optimum-int8": (self._optimum, self._onnx),
        }
        return [self._entry(name, python, make) for name, (python, make) in makers.items()]

    def _entry(self, name: str, python: Path, make: Callable[[], Path]) -> Entry:
        if not python.is_file():
            return Entry(name, python, self.work, missing=f"its environment is absent ({python.parent.parent.name})")
        try:
            return Entry(name, python, make())
        except subprocess.CalledProcessError as exc:
            if name == "edgekit":
                raise
            last = (exc.stderr or b"").decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            return Entry(name, python, self.work, missing=f"its model could not be made: {last[0][:200]}")

    def _ctranslate2(self) -> Path:
        """The weights as they came, and the list of tokens that faster-whisper wants beside them."""
        out = self.work / "ctranslate2"
        if out.is_dir():
            return out
        with _appearing(out) as stage:
            for name in ("model.bin", "config.json", "tokenizer.json"):
                (stage / name).symlink_to(self.weights / name)
            tokenizer = json.loads((self.weights / "tokenizer.json").read_text(encoding="utf-8"))
            tokens = {i: text for text, i in tokenizer["model"]["vocab"].items()}
            tokens |= {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
            # The tokenizer of the weights' package stops before the timestamps, which the embedding has rows for.
            first = len(tokens)
            tokens |= {i: f"<|{(i - first) * 0.02:.2f}|>" for i in range(first, make_ggml.BASE.vocabulary)}
            ordered = [tokens[i] for i in range(len(tokens))]
            (stage / "vocabulary.json").write_text(json.dumps(ordered), encoding="utf-8")
        return out

    def _ggml(self) -> Path:
        out = self.work / "ggml-base-q8_0.bin"
        if not out.is_file():
            make_ggml.write(self.weights, out)
        return out

    def _onnx(self) -> Path:
        """optimum-onnx's own export and its own dynamic quantization, by its own commands."""
        out = self.work / "optimum-int8"
        if out.is_dir():
            return out
        tool = self._optimum.with_name("optimum-cli")
        with _appearing(out) as stage, tempfile.TemporaryDirectory(dir=self.work) as temporary:
            folder, fp32 = Path(temporary, "hf"), Path(temporary, "fp32")
            make_hf.write(self.weights, folder)
            task = "automatic-speech-recognition-with-past"
            _run([tool, "export", "onnx", "--model", folder, "--task", task, fp32])
            # Whoever uses optimum keeps the merged decoder, which does both steps, or the other two.
            for other in ("decoder_model.onnx", "decoder_with_past_model.onnx"):
                (fp32 / other).unlink(missing_ok=True)
            instructions = "--arm64" if os.uname().machine in ("arm64", "aarch64") else _x86()
            _run([tool, "onnxruntime", "quantize", "--onnx_model", fp32, instructions, "--output", stage])
            for path in fp32.glob("*.json"):
                if not (stage / path.name).exists():
                    shutil.copyfile(path, stage / path.name)
        return out


@contextlib.contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A folder that gets its name when the block ends well."""
    stage = out.with_name(out.name + ".partial")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
        yield stage
        stage.rename(out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _x86() -> str:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        flags = ""
    return "--avx512_vnni" if "avx512_vnni" in flags else "--avx2"


def _run(command: list[str | Path]) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
