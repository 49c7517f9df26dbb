"""Golden data as C headers, compiled into the self-test, the benchmark and the example (firmware/golden.h)."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput

#: One tensor, or several in the order of the network's indices.
Tensors: TypeAlias = "NDArray[Any] | Sequence[NDArray[Any]]"

#: Inputs and the outputs that belong to them.
Vectors: TypeAlias = "Sequence[tuple[Tensors, Tensors]]"

VECTORS = "golden_vectors.h"
AUDIO = "golden_audio.h"
_WAV = "input.wav"

#: What the emulated boards hold besides the firmware (firmware/boards/*.ld) is 16 MB; as C text a byte takes four.
MOST_BYTES = 8_000_000


def write_golden(folder: Path, vectors: Vectors, max_bytes: int = MOST_BYTES) -> int:
    """Write golden_vectors.h into `folder`; returns how many vectors it holds.

    Args:
        vectors: pairs of input and output, arrays of the network's own dtypes (their bytes are what is compared).
        max_bytes: vectors beyond this many bytes of data are left out, from the end.

    Raises:
        BadInput: no vectors, vectors that differ in size, or a `max_bytes` that holds not even one.
    """
    pairs = [(_bytes(feed), _bytes(expected)) for feed, expected in vectors]
    sizes = {(len(feed), len(expected)) for feed, expected in pairs}
    if len(sizes) != 1 or 0 in next(iter(sizes)):
        raise BadInput(f"golden vectors must be of one size, not of {sorted(sizes) or 'none'}.")
    inputs, outputs = sizes.pop()
    kept = pairs[: max(0, max_bytes) // (inputs + outputs)]
    if not kept:
        raise BadInput(f"one golden vector takes {inputs + outputs} bytes, more than the {max_bytes} that are allowed.")
    text = _header(
        VECTORS,
        "Inputs, and the outputs that the reference gives for them.",
        f"#define GOLDEN_VECTORS {len(kept)}u",
        f"#define GOLDEN_INPUT_BYTES {inputs}u",
        f"#define GOLDEN_OUTPUT_BYTES {outputs}u",
        *_table("uint8_t golden_inputs[GOLDEN_VECTORS][GOLDEN_INPUT_BYTES]", (feed for feed, _ in kept)),
        *_table("uint8_t golden_outputs[GOLDEN_VECTORS][GOLDEN_OUTPUT_BYTES]", (expected for _, expected in kept)),
    )
    _write(folder / VECTORS, text)
    return len(kept)


def vectors_of(bundle: Path) -> Vectors:
    """The golden vectors that the exporter left in `bundle`: golden/network.{input,output}.INDEX.npy, stacked.

    Raises:
        BadInput: they are not arrays of numbers, one for each vector.
    """
    sides = []
    for side in ("input", "output"):
        files = {file.name: file for file in (bundle / "golden").glob(f"network.{side}.*.npy")}
        names = (f"network.{side}.{i}.npy" for i in range(len(files)))
        sides.append([_array(files[name]) for name in names if name in files])
    if not all(sides):
        return []
    if len({array.shape[:1] for side in sides for array in side}) != 1 or not sides[0][0].ndim:
        raise BadInput(f"the golden vectors of {bundle.name} are not equally many inputs and outputs.")
    return [([array[i] for array in sides[0]], [array[i] for array in sides[1]]) for i in range(len(sides[0][0]))]


def sound_of(bundle: Path) -> tuple[NDArray[Any], NDArray[Any] | None] | None:
    """The golden sound in `bundle`, int16 [n], and the features of it, int8 [frames, features].

    The exporter leaves both where it called the frontend once, golden/frontend.{input,output}.0.npy, int16 [1, n] and
    int8 [1, frames, features]. Else there is only golden/input.wav, or nothing.
    """
    audio, made, sound = (bundle / "golden" / name for name in ("frontend.input.0.npy", "frontend.output.0.npy", _WAV))
    if audio.is_file() and made.is_file():
        samples, features = _array(audio), _array(made)
        if samples.ndim == 2 and features.ndim == 3 and len(samples) == len(features) == 1 and features.size:
            return samples.reshape(-1), features.reshape(-1, features.shape[-1])
    return (read_wav(sound), None) if sound.is_file() else None


def _array(file: Path) -> NDArray[Any]:
    """The numbers in a .npy, which may be anything.

    Raises:
        BadInput: it holds something else, or more than golden data can be.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise BadInput(f"{file.name} has more than {MOST_BYTES:,} bytes; golden data is smaller.")
        with file.open("rb") as content:
            array: NDArray[Any] = np.lib.format.read_array(content, allow_pickle=False)
    except (OSError, ValueError, TypeError, EOFError, MemoryError, SyntaxError) as exc:
        raise BadInput(f"{file.name} is not an array that can be read: {exc}.") from exc
    if array.dtype.kind not in "iuf":
        raise BadInput(f"{file.name} holds {array.dtype}, not numbers.")
    return array


def write_golden_audio(
    folder: Path, samples: NDArray[Any], features: NDArray[Any] | None = None, tolerance: int = 0
) -> None:
    """Write golden_audio.h into `folder`.

    Args:
        samples: int16 [n], 16 kHz. features: int8 [frames, features], what the frontend makes of the samples.
        tolerance: how far a feature may be off, in steps of the int8 features.
    """
    if str(samples.dtype) != "int16" or samples.ndim != 1 or not len(samples):
        raise BadInput(f"golden audio must be int16 samples of one channel, not {samples.dtype} {samples.shape}.")
    lines = [
        f"#define GOLDEN_SAMPLES {len(samples)}u",
        "",
        "GOLDEN_DATA static const int16_t golden_audio[GOLDEN_SAMPLES] = {",
        *_wrap_values(samples.tolist()),
        "};",
    ]
    if features is not None:
        if str(features.dtype) != "int8" or features.ndim != 2 or not len(features):
            raise BadInput(f"golden features must be int8 [frames, features], not {features.dtype} {features.shape}.")
        lines += [
            "",
            f"#define GOLDEN_FRAMES {features.shape[0]}u",
            f"#define GOLDEN_FEATURE_TOLERANCE {tolerance}u",
            *_table(f"int8_t golden_features[GOLDEN_FRAMES][{features.shape[1]}]", features.tolist()),
        ]
    _write(
        folder / AUDIO,
        _header(AUDIO, "Sound, 16 kHz, and the features that the reference frontend makes of it.", *lines),
    )


def read_wav(file: Path) -> NDArray[Any]:
    """Samples of a .wav of one channel, 16 bits, 16 kHz: int16 [n].

    Raises:
        BadInput: anything else.
    """
    try:
        with wave.open(str(file)) as sound:
            kind = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
            content = sound.readframes(sound.getnframes())
    except (wave.Error, EOFError) as exc:
        raise BadInput(f"{file} is not a .wav that can be read: {exc}.") from exc
    if kind != (1, 2, 16000):
        raise BadInput(
            f"{file} must have one channel of 16 bits at 16000 Hz, not {kind[0]} of {8 * kind[1]} at {kind[2]}."
        )
    return np.frombuffer(content, "<i2").astype(np.int16)


def _bytes(tensors: Tensors) -> bytes:
    arrays = [tensors] if hasattr(tensors, "tobytes") else tensors
    return b"".join(array.tobytes() for array in arrays)


def _header(name: str, about: str, *lines: str) -> str:
    guard = name.upper().replace(".", "_")
    head = (f"/* {about} Written by edgekit. */", f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "")
    return "\n".join([*head, *lines, "", "#endif", ""])


def _table(declaration: str, rows: Iterable[Iterable[int]]) -> list[str]:
    lines = ["", f"GOLDEN_DATA static const {declaration} = {{"]
    for row in rows:
        lines += ["    {", *_wrap_values(row), "    },"]
    return [*lines, "};"]


def _wrap_values(values: Iterable[int], width: int = 24) -> list[str]:
    """Values in lines of at most 120 columns: `width` of them, less for wide ones."""
    texts = [str(value) for value in values]
    width = min(width, 110 // (max(map(len, texts)) + 2))
    return [f"        {', '.join(texts[start : start + width])}," for start in range(0, len(texts), width)]


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
