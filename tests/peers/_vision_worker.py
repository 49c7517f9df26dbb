"""One network in one runtime, as a process that works when it is told to.

    python _vision_worker.py RUNTIME FILE --photos PHOTOS --threads N

Runs in edgekit's environment or in the peers', so it imports its own runtime only. PHOTOS is a file of numpy, uint8
[N, 224, 224, 3]. Requests and answers are JSON lines on stdin and stdout (what a library prints goes to stderr). On
start it loads FILE and answers ``{"version": ...}``; then

- ``{"photo": i, "times": n}`` → ``{"seconds": [...]}``: n calls in a row, after one that wakes caches and threads;
- ``{"classify": true}`` → ``{"classes": [...]}``: the answer for every photo.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: A photo, uint8 [1, 224, 224, 3] -> what the runtime is fed; and that -> logits.
Runtime = tuple[Callable[[Any], Any], Callable[[Any], Any], str]


def edgekit_onnx(file: Path, threads: int) -> Runtime:
    return _edgekit("onnxruntime", file, threads)


def edgekit_litert(file: Path, threads: int) -> Runtime:
    return _edgekit("litert", file, threads)


def edgekit_openvino(file: Path, threads: int) -> Runtime:
    return _edgekit("openvino", file, threads)


def _edgekit(exporter: str, file: Path, threads: int) -> Runtime:
    from edgekit.registry import find

    runner = find("runtimes", exporter).load(file, threads)
    return (lambda photo: {"pixels": photo}), (lambda feeds: runner(feeds)["logits"]), "edgekit"


def onnxruntime(file: Path, threads: int) -> Runtime:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return (lambda photo: {"pixels": photo}), (lambda feeds: session.run(None, feeds)[0]), "onnxruntime"


def openvino(file: Path, threads: int) -> Runtime:
    import openvino as ov

    wish = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
    request = ov.Core().compile_model(file, "CPU", wish).create_infer_request()

    def infer(photo: Any) -> Any:
        request.set_input_tensor(ov.Tensor(photo, shared_memory=True))
        request.infer()
        return request.get_output_tensor().data

    return (lambda photo: photo), infer, "openvino"


def executorch(file: Path, threads: int) -> Runtime:
    import torch
    from _vision_makers import as_floats
    from executorch.extension.pybindings import portable_lib

    portable_lib._unsafe_reset_threadpool(threads)
    module = portable_lib._load_for_executorch(str(file))

    def feed(photo: Any) -> Any:
        return torch.from_numpy(as_floats(photo[0])).to(memory_format=torch.channels_last)

    return feed, (lambda tensor: module.forward((tensor,))[0].numpy()), "executorch"


RUNTIMES: dict[str, Callable[[Path, int], Runtime]] = {
    "edgekit-onnx": edgekit_onnx,
    "edgekit-litert": edgekit_litert,
    "edgekit-openvino": edgekit_openvino,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "executorch": executorch,
}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("file", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    photos = np.load(given.photos)
    feed, run, package = RUNTIMES[given.runtime](given.file, given.threads)

    def answer(**facts: Any) -> None:
        answers.write(json.dumps(facts) + "\n")
        answers.flush()

    answer(version=importlib.metadata.version(package))
    for line in sys.stdin:
        asked = json.loads(line)
        if asked.get("classify"):
            answer(classes=[int(np.argmax(run(feed(photo[None])))) for photo in photos])
            continue
        fed, spent = feed(photos[asked["photo"]][None]), []
        run(fed)
        for _ in range(asked["times"]):
            began = time.perf_counter()
            run(fed)
            spent.append(time.perf_counter() - began)
        answer(seconds=spent)


if __name__ == "__main__":
    main()
